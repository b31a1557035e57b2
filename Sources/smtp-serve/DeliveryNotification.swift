import Bytes
import Delivery
import SMTP
import Unix

/// Reports of success for recipients whose sender wants them (RFC 3461 4.1): what was delivered here is told from here;
/// of what was queued the queue tells.
struct DeliveryNotification {
    let envelope: Envelope
    let host: String
    let arrival: Int

    /// The report about these recipients, with its envelope; nil when nobody wants one.
    func report(_ delivered: [EnvelopeRecipient], _ content: [UInt8]) -> (QueuedEnvelope, [UInt8])? {
        let wanted = delivered.filter { $0.parameters.notify?.contains(.success) ?? false }
        guard !wanted.isEmpty, !envelope.reversePath.isNull else { return nil }
        let now = SystemClock.now.seconds
        let original = QueuedEnvelope(
            reversePath: "\(envelope.reversePath)", parameters: envelope.parameters,
            recipients: wanted.map { QueuedEnvelope.Recipient(path: "\($0.path)", parameters: $0.parameters) },
            arrival: arrival)
        let notification = StatusNotification(
            envelope: original,
            recipients: wanted.map {
                StatusNotification.Recipient(
                    path: "\($0.path)", parameters: $0.parameters, action: .delivered,
                    answer: QueueAnswer(code: 250, enhanced: "2.1.5", text: "delivered to the mailbox"),
                    latestAttempt: now)
            }, host: host, header: DeliveryNotification.header(content),
            message: nil)
        return (
            notification.queuedEnvelope(arrival: now),
            notification.build(now: now, zone: SystemClock.zoneOffset(at: now))
        )
    }

    private static func header(_ content: [UInt8]) -> [UInt8] {
        let span = content.span
        var place = 0
        while place < span.count {
            let line = span.line(at: place)
            place = line.next
            if line.content.isEmpty { break }
        }
        return span.array(0..<place)
    }
}
