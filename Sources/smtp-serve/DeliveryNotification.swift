import Bytes
import Delivery
import SMTP
import Unix

/// What a sender is told of deliveries here: of success when it wants to hear of it (RFC 3461 4.1), and of those recipients
/// who do not get what others do. Of what was queued the queue tells.
struct DeliveryNotification {
    let envelope: Envelope
    let host: String
    let arrival: Int

    /// The report about these recipients, with its envelope; nil when nobody wants one.
    func report(_ delivered: [EnvelopeRecipient], _ content: MessageContent) -> StatusNotification? {
        let wanted = delivered.filter { $0.parameters.notify?.contains(.success) ?? false }
        guard !wanted.isEmpty, !envelope.reversePath.isNull else { return nil }
        let now = SystemClock.now.seconds
        return StatusNotification(
            envelope: original(wanted),
            recipients: wanted.map {
                StatusNotification.Recipient(
                    path: "\($0.path)", parameters: $0.parameters, action: .delivered,
                    answer: QueueAnswer(code: 250, enhanced: "2.1.5", text: "delivered to the mailbox"),
                    latestAttempt: now)
            }, host: host, header: content.header(),
            message: nil)
    }

    /// The notification that these recipients do not get the message; nil when nobody wants one.
    func bounce(_ refused: [(recipient: EnvelopeRecipient, reply: Reply)], _ content: MessageContent)
        -> StatusNotification?
    {
        let wanted = refused.filter { $0.recipient.parameters.notify?.contains(.failure) ?? true }
        guard !wanted.isEmpty, !envelope.reversePath.isNull else { return nil }
        let now = SystemClock.now.seconds
        let limit = StatusNotification.returnLimit(of: .failed, envelope.parameters)
        return StatusNotification(
            envelope: original(wanted.map(\.recipient)),
            recipients: wanted.map { recipient, reply in
                StatusNotification.Recipient(
                    path: "\(recipient.path)", parameters: recipient.parameters, action: .failed,
                    answer: QueueAnswer(enhanced: reply.enhanced, text: reply.lines.joined(separator: " ")),
                    latestAttempt: now)
            }, host: host, header: content.header(),
            message: content.count <= limit ? content.bytes : nil)
    }

    private func original(_ recipients: [EnvelopeRecipient]) -> QueuedEnvelope {
        QueuedEnvelope(
            reversePath: "\(envelope.reversePath)", parameters: envelope.parameters,
            recipients: recipients.map { QueuedEnvelope.Recipient(path: "\($0.path)", parameters: $0.parameters) },
            arrival: arrival)
    }
}
