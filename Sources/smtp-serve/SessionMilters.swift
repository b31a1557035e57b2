import Delivery
import FilterProtocols
import Network
import SMTP
import ServerTool
import Unix

/// The milters of one session, in the order of the filters. Used from one task.
final class SessionMilters {
    private let milters: [(name: String, client: MilterClient)]
    private let service: MailService
    private let client: SocketAddress

    /// Nil when no filter is a milter.
    init?(_ service: MailService, client: SocketAddress) {
        self.service = service
        self.client = client
        let settings = service.settings.filterSettings
        milters = service.settings.filters.compactMap { filter in
            guard case .milter(let address) = filter else { return nil }
            return (filter.name, MilterClient(address, settings))
        }
        if milters.isEmpty { return nil }
    }

    /// The milter at an address; of several that have the same, the first.
    func client(at address: FilterAddress) -> MilterClient? { milters.first { $0.client.address == address }?.client }

    /// Tells of the connection: the reply that ends it, if one does. Failures are seen to at MAIL.
    func connect(clientName: String?) async -> Reply? {
        let connection = MilterConnection(
            client, clientName: clientName, hostName: service.settings.hostName)
        return await ask("connect", failureMatters: false) { await $0.connect(connection) }
    }

    func hello(_ name: String, tls: (version: String, cipher: String)?) async -> Reply? {
        await ask("helo", failureMatters: false) { await $0.hello(name, tls: tls) }
    }

    func mail(_ envelope: Envelope, user: String?, identifier: String) async -> Reply? {
        var parameters = envelope.parameters.text.split(separator: " ").map(String.init)
        if let size = envelope.declaredSize { parameters.insert("SIZE=\(size)", at: 0) }
        let step = MilterStep.mail(
            "<\(envelope.reversePath)>", parameters: parameters, user: user, identifier: identifier)
        return await ask("mail") { await $0.mail(step) }
    }

    func recipient(_ recipient: EnvelopeRecipient) async -> Reply? {
        let step = MilterStep.recipient(
            "<\(recipient.path)>", parameters: recipient.parameters.text.split(separator: " ").map(String.init))
        return await ask("rcpt") { await $0.recipient(step) }
    }

    func data() async -> Reply? { await ask("data") { await $0.data() } }

    func quit() async { for milter in milters { await milter.client.quit() } }

    /// Asks one after the other until one refuses.
    private func ask(
        _ step: String, failureMatters: Bool = true, _ body: (MilterClient) async -> MilterClient.Answer
    ) async -> Reply? {
        for (name, milter) in milters {
            switch await body(milter) {
            case .goOn: break
            case .refused(let reply):
                if service.events.isOn { service.events.milter(client, name, step, .refused(reply)) }
                return reply
            case .discarded:
                if service.events.isOn { service.events.milter(client, name, step, .discarded) }
            case .failed(let reason):
                if service.events.isOn { service.events.milter(client, name, step, .failed(reason)) }
                if failureMatters, !service.settings.passesUnfiltered { return .cannotFilter }
            }
        }
        return nil
    }
}

extension MilterConnection {
    /// A client as milters are told of it; `clientName` is its name in the DNS, when that leads back to it.
    init(_ client: SocketAddress, clientName: String?, hostName: String) {
        self.init(hostName: hostName, clientName: clientName ?? client.ip.map { "[\($0)]" } ?? "localhost")
        if case .ip(let address, let port) = client {
            clientAddress = ("\(address.unmapped)", address.unmapped.isIPv6, port)
        }
    }
}
