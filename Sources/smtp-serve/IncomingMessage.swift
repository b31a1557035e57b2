import Bytes
import Delivery
import SMTP
import ServerTool
import Unix

/// A message that comes in: gathered, filtered, and committed to the Maildirs of its recipients.
final class IncomingMessage {
    private let service: MailService
    private let envelope: Envelope
    private let client: SocketAddress
    private let identifier: String
    private let received: [UInt8]
    private let begin = ContinuousClock.now
    /// Nil for a sink.
    private let delivery: MessageDelivery?
    /// The content, when a filter has to see all of it.
    private var gathered: [UInt8] = []
    private var size = 0
    private var failure: Reply?

    /// Content in memory beyond which it goes to the temporary files.
    private static let memoryLimit = 65_536

    init(
        _ service: MailService, _ envelope: Envelope, client: SocketAddress, clientName: String, transport: String,
        security: String?
    ) {
        self.service = service
        self.envelope = envelope
        self.client = client
        identifier = service.makeIdentifier()
        let seconds = SystemClock.now.seconds
        received = TraceFields(
            clientName: clientName, clientAddress: client, serverName: service.settings.hostName,
            transport: transport, security: security, identifier: identifier,
            onlyRecipient: envelope.recipients.count == 1 ? envelope.recipients[0].path : nil
        ).received(epoch: seconds, zone: SystemClock.zoneOffset(at: seconds))
        delivery =
            service.settings.isSink
            ? nil : service.committer.begin(IncomingMessage.destinations(envelope, service.settings.recipients))
        if service.settings.filters.isEmpty { delivery?.append(received) } else { gathered = received }
    }

    /// Each Maildir once, however many of the recipients it belongs to.
    private static func destinations(
        _ envelope: Envelope, _ recipients: LocalRecipients
    ) -> [MessageDelivery.Destination] {
        var seen: Set<String> = []
        var destinations: [MessageDelivery.Destination] = []
        for path in envelope.recipients.map(\.path) {
            guard let maildir = try? recipients.maildir(for: path), seen.insert(maildir).inserted else { continue }
            destinations.append(
                .init(
                    maildir: maildir,
                    head: TraceFields.returnPath(envelope.reversePath) + TraceFields.deliveredTo(path)))
        }
        return destinations
    }

    /// Takes more content.
    func append(_ piece: [UInt8]) async {
        size += piece.count
        guard let delivery, failure == nil else { return }
        guard service.settings.filters.isEmpty else {
            gathered += piece
            return
        }
        delivery.append(piece)
        guard delivery.pendingCount > IncomingMessage.memoryLimit else { return }
        do throws(SystemError) {
            try await offload { () throws(SystemError) in try delivery.writePending() }
        } catch {
            fail(error)
        }
    }

    /// The message is whole: returns when it is on the disk, or why it is not.
    func finish() async -> Reply {
        let reply = await store()
        if service.events.isOn {
            service.events.message(
                client, identifier, envelope, size: size, reply: reply, elapsed: ContinuousClock.now - begin)
        }
        return reply
    }

    private func store() async -> Reply {
        guard let delivery else { return Reply(250, "2.0.0", "taken as \(identifier), and thrown away") }
        if failure == nil { await filter(delivery) }
        if failure == nil, delivery.receivedCount > LoopGuard.limit {
            failure = Reply(554, "5.4.6", "more than \(LoopGuard.limit) Received fields: the message goes in circles")
        }
        if let failure {
            delivery.abort()
            return failure
        }
        if case .failure(let error) = await service.committer.commit(delivery) {
            fail(error)
            return failure ?? Reply(451, "4.3.0", "the message cannot be stored now")
        }
        return Reply(250, "2.0.0", "delivered as \(identifier)")
    }

    /// Lets the filters see the message, one after the other, and hands the result to the delivery.
    private func filter(_ delivery: MessageDelivery) async {
        guard !service.settings.filters.isEmpty else { return }
        let environment = [
            "SENDER": "\(envelope.reversePath)", "CLIENT": "\(client)",
            "RECIPIENTS": envelope.recipients.map(\.description).joined(separator: " "),
        ]
        for command in service.settings.filters {
            let outcome = await MessageFilter.run(
                command, gathered, environment: environment, timeout: service.settings.filterTimeout,
                limit: service.settings.maximumSize * 2 + 65_536)
            switch outcome {
            case .passes(let content):
                gathered = content
                tell(command, "passes")
            case .refused:
                tell(command, "refused")
                failure = Reply(550, "5.7.1", "the message was refused by a filter")
                return
            case .failed(let reason):
                tell(command, "failed: \(reason)")
                guard service.settings.passesUnfiltered else {
                    failure = Reply(451, "4.3.0", "the message cannot be filtered now, try again later")
                    return
                }
            }
        }
        delivery.append(gathered)
        gathered = []
    }

    private func tell(_ command: String, _ outcome: String) {
        if service.events.isOn { service.events.filter(client, command, outcome) }
    }

    /// Drops what is there of the message.
    func abandon() { delivery?.abort() }

    private func fail(_ error: SystemError) {
        delivery?.abort()
        service.tell(error)
        failure =
            error.isOutOfSpace
            ? Reply(452, "4.3.1", "there is no room for the message now")
            : Reply(451, "4.3.0", "the message cannot be stored now")
    }
}
