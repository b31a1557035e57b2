import Accounts
import Bytes
import CommandLineTool
import DNS
import Delivery
import Glibc
import Network
import OpenSSL
import SMTP
import ServerTool
import Synchronization
import Unix

/// What the options say, as the sessions use it; files are read again by `reload`.
final class ServerSettings: Sendable {
    private struct Files: Sendable {
        var recipients: LocalRecipients
        var accounts: PasswordFile?
        var tls: TLSContext?
    }

    let hostName: String
    let isLMTP: Bool
    let maximumSize: Int
    let maximumRecipients: Int
    let requiresTLS: Bool
    let timeout: Duration
    let greetingDelay: Duration
    let isSink: Bool
    let capture: Capture?
    let showsUsers: Bool
    let filters: [FilterSpecification]
    let filterTimeout: Duration
    let passesUnfiltered: Bool
    let quarantine: String?
    let rules: RuleBook
    let relay: RelayPolicy
    let queue: Queue?
    let rateLimiter: RateLimiter?
    let greylist: Greylist?
    let blockLists: [ClientReputation.List]
    let refusedScore: Double
    let resolver: Resolver?
    let senderChecks: SenderChecks?
    let folders: MailFolders
    private let store: LocalRecipients.Store
    private let domains: [String]
    private let usersFile: String?
    private let aliasesFile: String?
    private let accountsFile: String?
    private let certificate: CertificateFiles
    private let files: Mutex<Files>

    init(_ arguments: Arguments) throws {
        hostName = try ServerSettings.hostName(arguments[SmtpServe.hostname])
        isLMTP = arguments[SmtpServe.lmtp]
        maximumSize = arguments[SmtpServe.maximumSize] == 0 ? .max : arguments[SmtpServe.maximumSize]
        maximumRecipients = arguments[SmtpServe.maximumRecipients]
        requiresTLS = arguments[SmtpServe.server.requireTLS]
        timeout = arguments[SmtpServe.server.timeout]
        greetingDelay = arguments[SmtpServe.greetingDelay]
        let format = Capture.Format(rawValue: arguments[SmtpServe.standardOutput])
        capture = if let format { Capture(format, hostName: hostName) } else { nil }
        isSink = arguments[SmtpServe.sink]
        showsUsers = arguments[SmtpServe.showUsers]
        filters = try ServerSettings.filters(arguments[SmtpServe.filter], "--filter")
        filterTimeout = arguments[SmtpServe.filterTimeout]
        passesUnfiltered = arguments[SmtpServe.filterOpen]
        quarantine = arguments[SmtpServe.quarantine]
        rules = try RuleBook(arguments[SmtpServe.rule], seed: arguments[SmtpServe.seed])
        relay = try RelayPolicy(arguments[SmtpServe.relayFor])
        if !relay.isEmpty, arguments[SmtpServe.queue] == nil {
            throw ToolFailure(.usage, "--relay-for: needs --queue DIR")
        }
        store = try ServerSettings.store(arguments)
        folders = MailFolders(arguments, store)
        try folders.make()
        queue = try ServerSettings.openQueue(arguments[SmtpServe.queue])
        rateLimiter = try ServerSettings.rateLimiter(arguments[SmtpServe.maximumRate])
        greylist = try ServerSettings.greylist(arguments[SmtpServe.greylist])
        blockLists = try ServerSettings.lists(arguments[SmtpServe.blockList])
        refusedScore = arguments[SmtpServe.refuseScore] ?? 1
        resolver = try ServerSettings.resolver(arguments)
        senderChecks = SenderChecks(arguments, resolver)
        // With local domains named, the addresses that are listened on are local too (RFC 5321 4.1.3).
        let names = arguments[SmtpServe.domain]
        domains = names.isEmpty ? [] : names + ServerSettings.literals(arguments)
        usersFile = arguments[SmtpServe.users]
        aliasesFile = arguments[SmtpServe.aliases]
        accountsFile = arguments[SmtpServe.accounts]
        certificate = try CertificateFiles(arguments, SmtpServe.server)
        files = Mutex(
            Files(
                recipients: try ServerSettings.readRecipients(store, domains, usersFile, aliasesFile, queue != nil),
                accounts: try ServerSettings.readAccounts(accountsFile), tls: try certificate.load()))
    }

    var recipients: LocalRecipients { files.withLock { $0.recipients } }
    var accounts: PasswordFile? { files.withLock { $0.accounts } }
    var tls: TLSContext? { files.withLock { $0.tls } }
    var hasFilters: Bool { !filters.isEmpty }
    var hasMilters: Bool { filters.contains { if case .milter = $0 { true } else { false } } }
    var filterSettings: FilterSettings {
        // What filters add is small, but for what wraps a message in another.
        FilterSettings(timeout: filterTimeout, limit: min(maximumSize, 1 << 60) * 2 + 65_536, resolver: resolver)
    }

    /// Reads the files again; one that cannot be used leaves things as they were.
    func reload() {
        do throws(ToolFailure) {
            let recipients = try ServerSettings.readRecipients(store, domains, usersFile, aliasesFile, queue != nil)
            let accounts = try ServerSettings.readAccounts(accountsFile)
            let tls = try certificate.load()
            files.withLock { $0 = Files(recipients: recipients, accounts: accounts, tls: tls) }
        } catch {
            Diagnostics.say("\(error.message): the files in use stay")
        }
    }

    // MARK: Options

    /// The name given, else the kernel's as far as it is one that SMTP knows.
    private static func hostName(_ given: String?) throws(ToolFailure) -> String {
        func isName(_ name: String) -> Bool {
            name.isASCII && Path(mailbox: "postmaster@\(name)") != nil
        }
        guard let given else { return isName(Host.name) ? Host.name : "localhost" }
        guard isName(given) else {
            throw ToolFailure(
                .usage, "--hostname \(TerminalText.escape(given)): must be a domain such as mx.example.org")
        }
        return given
    }

    private static func literals(_ arguments: Arguments) -> [String] {
        let addresses = (try? SmtpServe.server.addresses(arguments)) ?? []
        return addresses.compactMap { $0.address.ip.map { $0.isIPv6 ? "[IPv6:\($0)]" : "[\($0)]" } }
    }

    static func filters(_ texts: [String], _ option: String) throws(ToolFailure) -> [FilterSpecification] {
        var filters: [FilterSpecification] = []
        for text in texts {
            guard let filter = FilterSpecification(text) else {
                throw ToolFailure(
                    .usage, "\(option) \(text): must be a command, spamd:, clamd: or milter: with an address")
            }
            filters.append(filter)
        }
        return filters
    }

    private static func openQueue(_ path: String?) throws(ToolFailure) -> Queue? {
        guard let path else { return nil }
        do throws(SystemError) {
            return try Queue(path)
        } catch {
            throw ToolFailure(folder: path, of: "--queue", error)
        }
    }

    private static func rateLimiter(_ text: String?) throws(ToolFailure) -> RateLimiter? {
        guard let text else { return nil }
        guard let rate = RateLimiter.Rate(text) else {
            throw ToolFailure(.usage, "--max-rate \(text): must be N/s, N/min or N/h")
        }
        return RateLimiter(rate)
    }

    private static func greylist(_ text: String?) throws(ToolFailure) -> Greylist? {
        guard let text else { return nil }
        let greylist = Greylist(text)
        do throws(SystemError) {
            try greylist.removeOld()
        } catch {
            throw ToolFailure(folder: greylist.directory, of: "--greylist", error)
        }
        return greylist
    }

    private static func lists(_ texts: [String]) throws(ToolFailure) -> [ClientReputation.List] {
        var lists: [ClientReputation.List] = []
        for text in texts {
            guard let list = ClientReputation.List(text) else {
                throw ToolFailure(.usage, "--dnsbl \(text): must be ZONE or ZONE=WEIGHT")
            }
            lists.append(list)
        }
        return lists
    }

    /// Made only when a name may have to be looked up.
    private static func resolver(_ arguments: Arguments) throws(ToolFailure) -> Resolver? {
        let services = arguments[SmtpServe.filter].contains { $0.contains(":") }
        let checks = [SmtpServe.spf, SmtpServe.dkim, SmtpServe.dmarc, SmtpServe.arc].contains { arguments[$0] != nil }
        guard !arguments[SmtpServe.blockList].isEmpty || services || checks || arguments[SmtpServe.dns] != nil else {
            return nil
        }
        do throws(ResolverError) {
            return try Resolver.make(zoneFile: arguments[SmtpServe.dns], servers: arguments[SmtpServe.dnsServers])
        } catch {
            switch error {
            case .unreadable: throw ToolFailure(.configuration, "\(error): name a zone file with --dns")
            case .badZone: throw ToolFailure(.configuration, "\(error)")
            case .badServer: throw ToolFailure(.usage, "--dns-server \(error)")
            }
        }
    }

    private static func store(_ arguments: Arguments) throws(ToolFailure) -> LocalRecipients.Store {
        let given = [
            arguments[SmtpServe.mail].map { LocalRecipients.Store.maildirs($0) },
            arguments[SmtpServe.mbox].map { .mboxes($0) }, arguments[SmtpServe.pipe].map { .program($0) },
        ].compactMap { $0 }
        guard given.count <= 1 else {
            throw ToolFailure(.usage, "--mail, --mbox and --pipe exclude each other: give one")
        }
        return given.first ?? .maildirs("./mail")
    }

    // MARK: Files

    private static func readRecipients(
        _ store: LocalRecipients.Store, _ domains: [String], _ users: String?, _ aliases: String?, _ canForward: Bool
    ) throws(ToolFailure) -> LocalRecipients {
        var known: UsersFile?
        var names: AliasesFile?
        if let users {
            let bytes = try read(users, "--users")
            known = try parse(users) { () throws(DeliveryFileError) in try UsersFile(bytes) }
            for user in known?.users.values.map({ $0 }) ?? [] {
                _ = try filters(user.filters, "\(users): filter")
            }
        }
        if let aliases {
            let bytes = try read(aliases, "--aliases")
            names = try parse(aliases) { () throws(DeliveryFileError) in try AliasesFile(bytes) }
        }
        return LocalRecipients(store: store, domains: domains, users: known, aliases: names, canForward: canForward)
    }

    private static func readAccounts(_ file: String?) throws(ToolFailure) -> PasswordFile? {
        guard let file else { return nil }
        let bytes = try read(file, "--auth-file")
        do throws(PasswordFileError) {
            return try PasswordFile(bytes)
        } catch {
            throw ToolFailure(.configuration, "\(file):\(error.line): \(error.problem)")
        }
    }

    private static func read(_ file: String, _ option: String) throws(ToolFailure) -> [UInt8] {
        do throws(SystemError) {
            return try Unix.Files.read(file, limit: 64 << 20)
        } catch {
            throw ToolFailure(reading: file, of: option, error)
        }
    }

    private static func parse<File>(
        _ path: String, _ body: () throws(DeliveryFileError) -> File
    ) throws(ToolFailure) -> File {
        do throws(DeliveryFileError) {
            return try body()
        } catch {
            throw ToolFailure(.configuration, "\(path):\(error.line): \(error.problem)")
        }
    }
}

/// For whom mail goes on to other servers.
struct RelayPolicy: Sendable {
    private var networks: [AddressRange] = []
    private var forAuthenticated = false
    private var forCertificates = false

    /// Reads networks, `auth` and `cert`.
    init(_ texts: [String]) throws(ToolFailure) {
        for text in texts {
            switch text {
            case "auth": forAuthenticated = true
            case "cert": forCertificates = true
            default:
                guard let range = AddressRange(text) else {
                    throw ToolFailure(.usage, "--relay-for \(text): must be an address, ADDRESS/BITS, auth or cert")
                }
                networks.append(range)
            }
        }
    }

    var isEmpty: Bool { networks.isEmpty && !forAuthenticated && !forCertificates }

    func allows(_ address: SocketAddress, user: String?, hasCertificate: Bool) -> Bool {
        (forAuthenticated && user != nil) || (forCertificates && hasCertificate) || isTrusted(address)
    }

    /// A client from one of the networks. A Unix socket's counts as 127.0.0.1.
    func isTrusted(_ address: SocketAddress) -> Bool {
        let ip = address.ip ?? .loopback4
        return networks.contains { $0.contains(ip) }
    }
}
