import Bytes
import Delivery
import Network
import OpenSSL
import SMTP
import ServerTool
import Unix

/// One connection: carries bytes between it and the session, and does what the session asks for.
struct Conversation {
    let service: MailService
    let connection: Connection
    private let origin: ConnectionOrigin
    /// The other end; behind a proxy, the client that it speaks for.
    private(set) var client: SocketAddress
    var session: ServerSession
    var authentication: Authentication?
    private var message: IncomingMessage?
    private var reputation: ClientReputation?
    private var milters: SessionMilters?
    /// What the message of the transaction will be called, when a milter was told.
    private var identifier: String?
    /// What is to be left of the next replies, by a rule.
    private var truncation: Int?

    init(_ service: MailService, _ connection: Connection, _ origin: ConnectionOrigin) {
        self.service = service
        self.connection = connection
        self.origin = origin
        client = connection.peer
        let isLocal = connection.peer.isLocal && !origin.listener.isProxied
        session = ServerSession(
            Conversation.configuration(service.settings, isLocal: isLocal), isTLS: origin.listener.isTLS)
    }

    private static func configuration(
        _ settings: ServerSettings, isLocal: Bool
    ) -> ServerSession.Configuration {
        var configuration = ServerSession.Configuration(hostName: settings.hostName)
        configuration.isLMTP = settings.isLMTP
        configuration.maximumSize = settings.maximumSize
        configuration.maximumRecipients = settings.maximumRecipients
        configuration.offersTLS = settings.tls != nil
        configuration.requiresTLS = settings.requiresTLS
        configuration.offersETRN = settings.queue != nil
        configuration.showsUsers = settings.showsUsers
        configuration.inspectsCommands = !settings.rules.isEmpty || settings.hasMilters
        if let accounts = settings.accounts {
            configuration.mechanismsOverTLS = Authentication.mechanisms(accounts, isTLS: true)
            // Passwords in the clear only where nobody can listen.
            if isLocal, !settings.requiresTLS {
                configuration.mechanisms = Authentication.mechanisms(accounts, isTLS: false)
            }
        }
        return configuration
    }

    private var settings: ServerSettings { service.settings }
    private var events: EventLog { service.events }
    private var timeout: Duration { settings.timeout }
    private var hostName: String { settings.hostName }

    // MARK: From the first octet to the last

    mutating func run() async throws(ConnectionError) {
        if origin.listener.isProxied { try await readProxyHeader() }
        if events.isOn { events.connect(client) }
        if origin.listener.isTLS { try await startTLS(takingInput: origin.listener.isProxied) }
        if origin.isOverLimit {
            session.end(with: .tooManyConnections(hostName))
        } else if try await opens() {
            session.greet()
        }
        do throws(ConnectionError) {
            try await converse()
        } catch {
            await milters?.quit()
            throw error
        }
        await milters?.quit()
    }

    /// The connection is over.
    mutating func end(_ reason: String?) {
        message?.abandon()
        message = nil
        if events.isOn { events.disconnect(client, reason) }
    }

    private mutating func readProxyHeader() async throws(ConnectionError) {
        client = try await connection.receiveProxyHeader() ?? client
    }

    /// What stands before the greeting: rules, and the delay in which an honest client says nothing (RFC 5321 4.3.1).
    private mutating func opens() async throws(ConnectionError) -> Bool {
        if !settings.rules.isEmpty {
            let address = Array((client.ip.map { "\($0)" } ?? "\(client)").utf8)
            if let rule = settings.rules.match(.connect, address.span) {
                guard try await play(rule, verb: "connect") else { return false }
            }
        }
        milters = SessionMilters(service, client: client)
        if let refusal = await milters?.connect(clientName: nil) {
            session.end(with: refusal)
            return false
        }
        guard settings.greetingDelay > .zero, !settings.relay.isTrusted(client) else { return true }
        do throws(ConnectionError) {
            guard try await connection.receive(timeout: settings.greetingDelay, interruptible: true) else {
                throw .closed
            }
        } catch {
            if case .timedOut = error { return true }
            throw error
        }
        if events.isOn { events.earlyTalker(client) }
        session.end(with: Reply(554, "5.5.1", "\(hostName): you have spoken before the greeting"))
        return false
    }

    /// Does one step after the other. A session that waits holds no more than this needs: thousands of them wait.
    private mutating func converse() async throws(ConnectionError) {
        while true {
            if let step = nextStep() {
                guard try await perform(step) else { return }
            } else {
                guard try await receive() else { return }
            }
        }
    }

    /// What is to be done with the input that is there; nil: wait for more.
    private mutating func nextStep() -> ServerSession.Step? {
        let input = connection.input
        let (consumed, step) = session.next(input.bytes)
        connection.input.consume(consumed)
        return step == .needInput ? nil : step
    }

    /// Does a step; false at the end.
    private mutating func perform(_ step: ServerSession.Step) async throws(ConnectionError) -> Bool {
        switch step {
        case .needInput: break
        case .close:
            try await flush()
            return false
        case .inspect(let verb, let argument): try await inspect(verb, argument)
        case .checkSender(let envelope): await checkSender(envelope)
        case .checkRecipient(let recipient): await checkRecipient(recipient)
        case .verify(let text): session.answerCommand(verify(text))
        case .expand(let text): session.answerCommand(expand(text))
        case .flushQueue(let text): session.answerCommand(await flushQueue(text))
        case .authenticate(let mechanism, let initial):
            authentication = settings.accounts.flatMap {
                Authentication(mechanism, $0, hostName: hostName, connection, client: client)
            }
            await authenticate(initial, isFirst: true)
        case .authenticationResponse(let line): await authenticate(line, isFirst: false)
        case .beginData(let envelope):
            message = IncomingMessage(
                service, envelope, sender(envelope), identifier: identifier ?? service.makeIdentifier(),
                milters: milters)
            identifier = nil
        case .data(let piece): await message?.append(piece)
        case .endData: try await endData()
        case .abandonData:
            message?.abandon()
            message = nil
        case .startTLS:
            try await flush()
            try await startTLS()
            session.tlsStarted()
        }
        return true
    }

    /// Sends what is to be said and waits for more; a server that stops breaks in only between commands.
    private mutating func receive() async throws(ConnectionError) -> Bool {
        try await flush()
        do throws(ConnectionError) {
            return try await connection.receive(timeout: timeout, interruptible: session.isBetweenCommands)
        } catch {
            try await sayGoodbye(after: error)
            throw error
        }
    }

    private mutating func sayGoodbye(after error: ConnectionError) async throws(ConnectionError) {
        switch error {
        case .interrupted: session.end(with: .shuttingDown(hostName))
        case .timedOut: session.end(with: .idleTooLong(hostName))
        default: return
        }
        try await flush()
    }

    private mutating func flush() async throws(ConnectionError) {
        var output = session.takeOutput()
        guard !output.isEmpty else { return }
        if let truncation { output.removeLast(max(0, output.count - truncation)) }
        connection.write(output)
        try await connection.flush(timeout: timeout)
        if truncation != nil { throw .closed }
    }

    private func startTLS(takingInput: Bool = false) async throws(ConnectionError) {
        guard let context = settings.tls else { throw .tls("no certificate") }
        try await connection.startTLS(server: context, takingInput: takingInput, timeout: .seconds(30))
        if events.isOn, let tls = connection.tls { events.tls(client, tls.version, tls.cipher) }
    }

    // MARK: Messages

    private func sender(_ envelope: Envelope) -> MessageOrigin {
        MessageOrigin(
            client: client, helloName: session.clientName ?? "unknown",
            transport: transport(envelope), user: session.user, tls: connection.tls, isStranger: isStranger)
    }

    /// The protocol as Received names it (RFC 3848, RFC 6531 4.3).
    private func transport(_ envelope: Envelope) -> String {
        let isUTF8 = envelope.parameters.smtpUTF8
        guard session.isExtended else { return "SMTP" }
        let base =
            switch (settings.isLMTP, isUTF8) {
            case (true, true): "UTF8LMTP"
            case (true, false): "LMTP"
            case (false, true): "UTF8SMTP"
            case (false, false): "ESMTP"
            }
        return base + (session.isTLS ? "S" : "") + (session.user == nil ? "" : "A")
    }

    private mutating func endData() async throws(ConnectionError) {
        let last = session.takeLastPiece()
        guard let message else { return session.answerData([]) }
        await message.append(last)
        if !settings.rules.isEmpty {
            let content = settings.rules.readsMessages ? await message.content() : nil
            let rules = settings.rules
            if let rule = (content ?? MessageContent([])).withWhole({ rules.match(.message, $0) }) {
                let isStored = try await play(rule, verb: "message")
                guard isStored else {
                    message.abandon()
                    self.message = nil
                    return
                }
            }
        }
        session.answerData(await message.finish())
        self.message = nil
    }

    // MARK: Rules

    private mutating func inspect(_ verb: String, _ argument: String) async throws(ConnectionError) {
        let subject: Rule.Subject =
            switch verb {
            case "EHLO", "HELO", "LHLO": .ehlo
            case "MAIL": .mail
            case "RCPT": .rcpt
            case "DATA", "BDAT": .data
            case "QUIT": .quit
            case "AUTH": .auth
            case "STARTTLS": .starttls
            default: .any
            }
        let shown = subject == .mail || subject == .rcpt ? Conversation.address(argument) : argument
        if !settings.rules.isEmpty, let rule = settings.rules.match(subject, Array(shown.utf8).span) {
            guard try await play(rule, verb: verb) else { return }
        }
        if let refusal = await askMilters(verb, argument) { session.refuse(refusal) } else { session.proceed() }
    }

    /// What milters say of commands that the session judges alone; nil: go on.
    private func askMilters(_ verb: String, _ argument: String) async -> Reply? {
        guard let milters else { return nil }
        switch verb {
        case "EHLO", "HELO", "LHLO":
            guard !argument.isEmpty, settings.isLMTP == (verb == "LHLO") else { return nil }
            return await milters.hello(argument, tls: connection.tls.map { ($0.version, $0.cipher) })
        case "DATA", "BDAT":
            guard message == nil, session.hasRecipients else { return nil }
            return await milters.data()
        default: return nil
        }
    }

    /// What stands between the angle brackets.
    private static func address(_ argument: String) -> String {
        guard let open = argument.firstIndex(of: "<"), let close = argument.lastIndex(of: ">"), open < close else {
            return argument
        }
        return String(argument[argument.index(after: open)..<close])
    }

    /// Does what a rule says; true when what it fits goes on as ever.
    private mutating func play(_ rule: Rule, verb: String) async throws(ConnectionError) -> Bool {
        if events.isOn { events.rule(client, verb, rule) }
        if let delay = rule.delay {
            try await flush()
            do { try await EventLoop.sleep(for: delay) } catch { throw .cancelled }
        }
        switch rule.action {
        case .proceed: return true
        case .reply(let reply):
            switch verb {
            case "connect":
                if reply.isPositive { session.greet(with: reply) } else { session.end(with: reply) }
            case "message": session.answerData([reply])
            case _ where Conversation.isCarriedOut(verb, reply):
                session.word(reply)
                return true
            default: session.refuse(reply)
            }
            return false
        case .drop: throw .closed
        case .truncate(let count):
            try await flush()
            truncation = count
            return true
        case .stall:
            try await flush()
            while try await connection.receive(timeout: timeout, interruptible: true) { connection.input.removeAll() }
            throw .closed
        }
    }

    /// A reply that lets a command through changes the words of its answer only.
    private static func isCarriedOut(_ verb: String, _ reply: Reply) -> Bool {
        switch verb {
        case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "BDAT", "RSET", "QUIT", "STARTTLS": reply.code < 300
        case "DATA": (300..<400).contains(reply.code)
        default: false
        }
    }

    // MARK: Judging

    private mutating func checkSender(_ envelope: Envelope) async {
        var refusal = await judge(envelope)
        if refusal == nil, let milters {
            let identifier = service.makeIdentifier()
            refusal = await milters.mail(envelope, user: session.user, identifier: identifier)
            self.identifier = identifier
        }
        if events.isOn { events.mail(client, envelope, refusal) }
        session.answerSender(refusal)
    }

    private mutating func checkRecipient(_ recipient: EnvelopeRecipient) async {
        var refusal = await judge(recipient.path)
        if refusal == nil, let milters { refusal = await milters.recipient(recipient) }
        if events.isOn { events.recipient(client, recipient.path, refusal) }
        session.answerRecipient(refusal)
    }

    private func judge(_ envelope: Envelope) async -> Reply? {
        if let limiter = settings.rateLimiter, session.user == nil, let address = client.ip, !limiter.allows(address) {
            return Reply(450, "4.7.1", "too many messages from \(address), try again later")
        }
        guard let checks = settings.senderChecks, isStranger, let address = client.ip else { return nil }
        return await checks.judge(address, helloName: session.clientName ?? "", envelope.reversePath)
    }

    private mutating func judge(_ path: Path) async -> Reply? {
        if settings.isSink || settings.capture != nil { return nil }
        do throws(LocalRecipients.Refusal) {
            if !settings.recipients.isLocal(path), mayRelay { return nil }
            _ = try settings.recipients.deliveries(for: path)
        } catch {
            return Conversation.refusal(error, path)
        }
        guard isStranger, let address = client.ip else { return nil }
        // RFC 5321 4.5.1: the postmaster can always be told.
        if path.unquotedLocalPart.equalsIgnoringCase("postmaster") { return nil }
        if let refusal = await judgeReputation(address) { return refusal }
        return await judgeGreylist(address, path)
    }

    /// A client that has not logged in and comes from no network that may relay.
    private var isStranger: Bool { session.user == nil && !settings.relay.isTrusted(client) }

    private var mayRelay: Bool {
        settings.relay.allows(client, user: session.user, hasCertificate: connection.hasVerifiedPeer)
    }

    private static func refusal(_ refusal: LocalRecipients.Refusal, _ path: Path) -> Reply {
        switch refusal {
        case .notLocal: Reply(550, "5.7.1", "mail for \(path.domain) is not relayed")
        case .noSuchUser: Reply(550, "5.1.1", "there is no mailbox \(path)")
        case .unusable: Reply(550, "5.1.3", "there can be no mailbox of this name")
        case .aliasLoop: Reply(550, "5.4.6", "the aliases of \(path) lead in a circle")
        case .cannotForward: Reply(451, "4.3.5", "mail for \(path) cannot be forwarded now")
        }
    }

    private mutating func judgeReputation(_ address: IPAddress) async -> Reply? {
        guard !settings.blockLists.isEmpty, let resolver = settings.resolver else { return nil }
        if reputation == nil {
            let found = await ClientReputation.look(
                address, helloName: session.clientName ?? "", settings.blockLists, resolver)
            reputation = found
            if events.isOn { events.reputation(client, found) }
        }
        guard let reputation, reputation.score >= settings.refusedScore else { return nil }
        return Reply(554, "5.7.1", "mail from \(address) is not taken: \(reputation.reasons.joined(separator: ", "))")
    }

    private func judgeGreylist(_ address: IPAddress, _ path: Path) async -> Reply? {
        guard let greylist = settings.greylist, let sender = session.sender else { return nil }
        do throws(SystemError) {
            let seconds = try await offload { () throws(SystemError) in try greylist.wait(address, sender, path) }
            return seconds.map { Reply(451, "4.7.1", "greylisted, try again in \($0) seconds") }
        } catch {
            // Mail is not lost for want of a place to remember it.
            service.tell(error)
            return nil
        }
    }

    private func verify(_ text: String) -> Reply {
        guard let path = Conversation.path(text) else { return Reply(501, "5.1.3", "not an address") }
        do throws(LocalRecipients.Refusal) {
            _ = try settings.recipients.deliveries(for: path)
            return Reply(250, "2.1.5", "<\(path)>")
        } catch {
            return error == .notLocal ? Reply(252, "2.5.0", "not a local address") : Conversation.refusal(error, path)
        }
    }

    private func expand(_ text: String) -> Reply {
        guard let path = Conversation.path(text), let members = settings.recipients.members(of: path) else {
            return Reply(550, "5.1.1", "there is no list of this name")
        }
        return Reply(250, "2.1.5", lines: members.map { "<\($0)>" })
    }

    private static func path(_ text: String) -> Path? {
        let bare = text.hasPrefix("<") && text.hasSuffix(">") ? String(text.dropFirst().dropLast()) : text
        return Path(mailbox: bare)
            ?? (Path(mailbox: "\(bare)@localhost").map { Path(localPart: $0.localPart, domain: "") })
    }

    /// RFC 1985 5.3: for whoever may relay, the mail of one domain is tried, with `@` before it also that of those below.
    private func flushQueue(_ text: String) async -> Reply {
        if text.hasPrefix("#") { return Reply(458, "4.5.4", "there is no queue of the name \(text)") }
        guard QueueDomains([text]) != nil else { return Reply(501, "5.5.4", "not a domain") }
        guard mayRelay, let requests = service.queueRequests else {
            return Reply(459, "4.7.1", "the queue is run for those only who may relay")
        }
        do throws(SystemError) {
            guard try await requests.hasWaiting(text) else {
                return Reply(251, "2.0.0", "no messages wait for \(text)")
            }
        } catch {
            service.tell(error)
            return Reply(458, "4.3.0", "the queue cannot be read now")
        }
        requests.run(text)
        return Reply(252, "2.0.0", "messages that wait for \(text) are tried now")
    }
}
