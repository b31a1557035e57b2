import Bytes
import CommandLineTool
import DNS
import SMTP
import Unix

/// The envelope as the command line gives it.
struct EnvelopeOptions: Sendable {
    /// The session ends before a message would be sent: none is read.
    var needsNoMessage = false
    /// Recipients are taken from the header, too.
    var readsRecipients = false
    /// Addresses without a domain may go to the one server.
    var takesBareNames = false
    /// Empty for the null sender; nil when not given.
    var reversePath: String?
    var recipients: [EnvelopeAddress]
    var request = StatusRequest()
    /// Messages come as programs give them to sendmail(8).
    var isSubmission = false
    /// A line that is a dot alone ends the message.
    var endsAtDot = false
    /// The sender's, for a From field that is missing.
    var fullName: String?
    /// How often each message is sent.
    var repeatCount = 1
}

/// What the command line asks for, checked.
struct SendPlan: Sendable {
    let envelope: EnvelopeOptions
    let routes: Routes
    let settings: SendSettings
    let reportForm: Report.Form
    /// When the progress of a run is shown: `auto`, `always` or `never`.
    let progress: String
    let connections: Int
    let rate: RateLimit?

    init(_ arguments: Arguments) throws(ToolFailure) {
        routes = try Self.routes(arguments)
        var envelope = try Self.envelope(arguments)
        envelope.isSubmission = arguments[SendOptions.sendmail]
        if envelope.isSubmission { envelope.recipients = envelope.recipients.map(\.qualified) }
        envelope.endsAtDot = envelope.isSubmission && !arguments[SendOptions.ignoreDots]
        envelope.fullName = arguments[SendOptions.fullName]
        envelope.repeatCount = arguments[SendOptions.repetitions]
        if !routes.destination.isOneServer, let lost = envelope.recipients.first(where: { $0.domain == nil }) {
            throw ToolFailure(.usage, "--to \(lost.text): has no domain: write local-part@domain, or give --server")
        }
        settings = try Self.settings(arguments, routes.destination)
        envelope.readsRecipients = arguments[SendOptions.readRecipients]
        envelope.takesBareNames = routes.destination.isOneServer
        envelope.needsNoMessage = settings.lastStep != nil && settings.lastStep != .message
        try Self.checkLastStep(settings, arguments)
        // Whom the server never hears of, it need not be told: the mailbox that each has (RFC 5321 4.5.1) stands for all.
        let isBeforeRecipients = [.greeting, .hello, .tls, .authentication, .mail].contains(settings.lastStep)
        if isBeforeRecipients, envelope.recipients.isEmpty, routes.destination.isOneServer {
            envelope.recipients = [EnvelopeAddress("postmaster")].compactMap { $0 }
        }
        envelope.request = try StatusOptions.read(arguments)
        self.envelope = envelope
        connections = Self.connections(arguments)
        rate = try arguments[SendOptions.rate].map { text throws(ToolFailure) in try RateLimit(text) }
        let isQuiet = arguments[SendOptions.quiet] || arguments[SendOptions.verbose]
        progress = isQuiet && !arguments.isGiven(SendOptions.progress) ? "never" : arguments[SendOptions.progress]
        let isLoadTest = arguments.isGiven(SendOptions.repetitions) || arguments.isGiven(SendOptions.parallel)
        if isLoadTest {
            reportForm = .load(isJSON: arguments[SendOptions.json])
            return
        }
        // Of sendmail's modes only the one that verifies addresses (-bv) answers something.
        let isSilent = arguments[SendOptions.sendmail] && !arguments.isGiven(SendOptions.quitAfter)
        if isSilent, !arguments[SendOptions.verbose], !arguments[SendOptions.json] {
            reportForm = .failuresOnly
            return
        }
        reportForm = arguments[SendOptions.json] ? .json : arguments[SendOptions.quiet] ? .failuresOnly : .lines
    }

    /// A queue has other messages to send while one waits for its server.
    private static func connections(_ arguments: Arguments) -> Int {
        if let parallel = arguments[SendOptions.parallel] { return parallel }
        if arguments.isGiven(SendOptions.connections) { return arguments[SendOptions.connections] }
        return arguments.isGiven(SendOptions.queue) ? 10 : 1
    }

    // MARK: - Envelope

    private static func envelope(_ arguments: Arguments) throws(ToolFailure) -> EnvelopeOptions {
        var recipients: [EnvelopeAddress] = []
        var known: Set<EnvelopeAddress> = []
        for part in arguments[SendOptions.to].flatMap(EnvelopeAddress.parts) {
            guard let address = EnvelopeAddress(part) else {
                throw ToolFailure(.usage, "--to \(part): is not an address: write local-part@domain")
            }
            if known.insert(address).inserted { recipients.append(address) }
        }
        return EnvelopeOptions(reversePath: try reversePath(arguments), recipients: recipients)
    }

    private static func reversePath(_ arguments: Arguments) throws(ToolFailure) -> String? {
        guard let text = arguments[SendOptions.from]?.trimmingASCIIWhitespace() else { return nil }
        if text.isEmpty || text == "<>" { return "" }
        guard let address = EnvelopeAddress(text) else {
            throw ToolFailure(.usage, "--from \(text): is not an address: write local-part@domain, or <> for none")
        }
        return arguments[SendOptions.sendmail] ? address.qualified.path : address.path
    }

    // MARK: - Routes

    private static func routes(_ arguments: Arguments) throws(ToolFailure) -> Routes {
        let families: Resolver.Families
        switch (arguments[SendOptions.ipv4], arguments[SendOptions.ipv6]) {
        case (true, true): throw ToolFailure(.usage, "-4 and -6: exclude each other: give one or none")
        case (true, false): families = .ipv4
        case (false, true): families = .ipv6
        case (false, false): families = .both
        }
        let path = try ConnectionPath(arguments)
        let resolver = try resolver(arguments, families)
        let policies = arguments[SendOptions.policies]
        let keepsPolicies =
            policies != "none" && [.auto, .require].contains(SendOptions.tls.policy(arguments))
            && !arguments[SendOptions.tls.insecure]
        return Routes(
            destination: try destination(arguments), families: families, resolver: resolver,
            path: path, keepsDANE: keepsPolicies && policies != "mta-sts",
            policies: keepsPolicies && policies != "dane" && !path.leadsElsewhere
                ? MTASTSLookup(
                    resolver: resolver, tls: try ClientTLS(arguments, isOneServer: false),
                    port: UInt16(arguments[SendOptions.httpsPort])) : nil,
            ownNames: [arguments[SendOptions.helo] ?? Host.name])
    }

    private static func resolver(
        _ arguments: Arguments, _ families: Resolver.Families
    ) throws(ToolFailure) -> Resolver {
        do throws(ResolverError) {
            return try Resolver.make(
                zoneFile: arguments[SendOptions.dns], servers: arguments[SendOptions.dnsServers], families: families)
        } catch {
            switch error {
            case .unreadable: throw ToolFailure(.noInput, "\(error)")
            case .badZone: throw ToolFailure(.dataError, "\(error)")
            case .badServer: throw ToolFailure(.usage, "--dns-server \(error)")
            }
        }
    }

    private static func destination(_ arguments: Arguments) throws(ToolFailure) -> Routes.Destination {
        let standardPort: UInt16 = SendOptions.tls.policy(arguments) == .implicit ? 465 : 25
        let port = arguments[SendOptions.port].map { UInt16(clamping: $0) } ?? standardPort
        switch (arguments[SendOptions.server], arguments[SendOptions.lmtp]) {
        case (.some, .some): throw ToolFailure(.usage, "--server and --lmtp: exclude each other: give one")
        case (let server?, nil): return .server(try ServerName(server, defaultPort: port))
        case (nil, let path?):
            guard SocketAddress("unix:" + path) != nil else {
                throw ToolFailure(.usage, "--lmtp \(path): is not the path of a Unix socket")
            }
            return .server(ServerName(name: path, port: nil))
        case (nil, nil): return .mailExchanges(port: port)
        }
    }

    // MARK: - Sessions

    private static func settings(
        _ arguments: Arguments, _ destination: Routes.Destination
    ) throws(ToolFailure) -> SendSettings {
        let steps = [arguments[SendOptions.quitAfter], arguments[SendOptions.dropAfter]].compactMap(ClientStep.init)
        if steps.count == 2 {
            throw ToolFailure(.usage, "--quit-after and --drop-after: exclude each other: give one")
        }
        return SendSettings(
            heloName: try heloName(arguments),
            tls: try ClientTLS(arguments, isOneServer: destination.isOneServer),
            path: try ConnectionPath(arguments),
            dialect: arguments.isGiven(SendOptions.lmtp) ? .lmtp : .smtp,
            pipelining: !arguments[SendOptions.noPipelining],
            chunking: !arguments[SendOptions.noChunking],
            encoding: !arguments[SendOptions.noEncoding],
            credentials: try CredentialOptions.read(arguments, isOneServer: destination.isOneServer),
            lastStep: steps.first,
            dropsAfterLastStep: arguments.isGiven(SendOptions.dropAfter),
            timeout: arguments[SendOptions.timeout],
            isVerbose: arguments[SendOptions.verbose], showsSecrets: arguments[SendOptions.showSecrets])
    }

    /// A step that the session does not have would never end it.
    private static func checkLastStep(_ settings: SendSettings, _ arguments: Arguments) throws(ToolFailure) {
        let option = settings.dropsAfterLastStep ? "--drop-after" : "--quit-after"
        if settings.lastStep != nil, arguments[SendOptions.stdio] {
            throw ToolFailure(.usage, "\(option): not with --stdio: what was not sent would be accepted")
        }
        switch settings.lastStep {
        case .tls where settings.tls.policy == .never:
            throw ToolFailure(.usage, "\(option) tls: there is none with --tls never")
        case .authentication where settings.credentials == nil:
            throw ToolFailure(.usage, "\(option) auth: needs --user and its password")
        default: break
        }
    }

    private static func heloName(_ arguments: Arguments) throws(ToolFailure) -> String? {
        guard let name = arguments[SendOptions.helo] else { return nil }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > ASCII.space && $0 != ASCII.delete }) else {
            throw ToolFailure(.usage, "--helo \(name): is not one word: give a host name or an address literal")
        }
        return name
    }
}
