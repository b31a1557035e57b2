import Bytes
import CommandLineTool
import OpenSSL
import POP3
import SASL
import Unix

/// A mailbox on a POP3 server: `pop3://user@host[:port]/`, or `pop3s://` with TLS from the start.
struct POP3Account: Sendable {
    let user: String
    /// A host name or an IP address.
    let host: String
    let port: UInt16
    let isTLS: Bool

    private static let schemes = [("pop3://", false), ("pop3s://", true)]

    /// Whether an operand is one.
    static func isAccount(_ operand: String) -> Bool {
        schemes.contains { operand.asciiLowercased.hasPrefix($0.0) }
    }

    /// Reads an operand; nil for one that names no POP3 server.
    init?(_ operand: String) throws(ToolFailure) {
        guard let (scheme, isTLS) = Self.schemes.first(where: { operand.asciiLowercased.hasPrefix($0.0) }) else {
            return nil
        }
        self.isTLS = isTLS
        var rest = operand.dropFirst(scheme.utf8.count)
        if let slash = rest.firstIndex(of: "/") {
            guard rest.index(after: slash) == rest.endIndex else {
                throw Self.failure(operand, "a POP3 mailbox has no folders: write pop3://user@host/")
            }
            rest = rest[..<slash]
        }
        guard let at = rest.lastIndex(of: "@"), at != rest.startIndex else {
            throw Self.failure(operand, "says no user: write pop3://user@host/")
        }
        let name = rest[..<at]
        guard !name.utf8.contains(ASCII.colon) else {
            throw ToolFailure(
                .usage,
                "pop3://: a password on the command line is there for all to read: use --password-file or others")
        }
        guard let user = Self.decoded(name), !user.utf8.contains(where: \.isASCIIControl) else {
            throw Self.failure(operand, "the user's name cannot be read: write others than letters and digits as %40")
        }
        self.user = user
        (host, port) = try Self.server(rest[rest.index(after: at)...], isTLS ? 995 : 110, operand)
    }

    private static func server(
        _ text: Substring, _ usualPort: UInt16, _ operand: String
    ) throws(ToolFailure) -> (String, UInt16) {
        var host = text
        var port: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let behind = text[text.index(after: end)...]
            if !behind.isEmpty { port = behind.hasPrefix(":") ? behind.dropFirst() : "" }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let number = port.map { UInt16($0) ?? 0 } ?? usualPort
        guard !host.isEmpty, number > 0, !host.utf8.contains(where: { $0 <= ASCII.space || $0 == ASCII.delete }) else {
            throw failure(operand, "names no server: write HOST, HOST:PORT or [IPV6]:PORT behind the @")
        }
        return (String(host), number)
    }

    private static func failure(_ operand: String, _ problem: String) -> ToolFailure {
        ToolFailure(.usage, "\(TerminalText.escape(operand)): \(problem)")
    }

    /// The text with `%40` and its like read; nil when it is none.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == ASCII.percent else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = Hexadecimal.decode(Array(rest.prefix(2)).span) else { return nil }
            bytes += value
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// What tells the mailbox from others, whichever way leads to it: `anna@pop.example.org`, with a port that is not
    /// the usual one. Holds no space and no slash.
    var key: String {
        let name = user.utf8.map { byte -> String in
            let isPlain = byte.isASCIIAlphanumeric || Array("._-+@=".utf8).contains(byte)
            return isPlain ? [byte].text : "%\(Hexadecimal.encode([byte]))"
        }.joined()
        return "\(name)@\(host.asciiLowercased)\(port == 110 || port == 995 ? "" : ":\(port)")"
    }

    /// The account as reports name it.
    var name: String {
        let host = host.utf8.contains(ASCII.colon) ? "[\(host)]" : host
        let place = port == (isTLS ? 995 : 110) ? host : "\(host):\(port)"
        return "\(isTLS ? "pop3s" : "pop3")://\(user)@\(place)/"
    }
}

/// What the command line says of how to fetch.
struct POP3Settings: Sendable {
    static let tls = ClientTLSOptions(startTLS: "STLS", group: group)
    static let auth = Option.text(
        "auth", "MECH", "how to log in (the best way offered)", group: group, completion: .words(methods))
    static let secrets = SecretOptions(group: group)
    static let deleteAfter = Option.flag(
        "delete-after", "remove from the server what is durably here", group: group)
    static let uniqueIDs = Option.text(
        "uidls", "FILE", "ids of what was fetched (beside DESTINATION)", group: group, completion: .file)
    static let timeout = Option.duration(
        "timeout", "S", default: .seconds(120), "longest wait for the server (120)", group: group)

    static let all: [AnyOption] =
        tls.all + [AnyOption(auth)] + secrets.all + [AnyOption(deleteAfter), AnyOption(uniqueIDs), AnyOption(timeout)]

    private static let group = "POP3"
    private static let methods =
        ["auto"] + SASLClientMechanism.allCases.map(\.rawValue.asciiLowercased) + ["apop", "user"]

    let account: POP3Account
    let policy: POP3ClientSession.TLSPolicy
    let credentials: SASLCredentials
    let method: POP3ClientSession.Method?
    let deletes: Bool
    let timeout: Duration
    private let certificates: ClientTLSOptions.Certificates

    init(_ arguments: Arguments, _ account: POP3Account) throws(ToolFailure) {
        self.account = account
        let wanted = Self.tls.policy(arguments)
        guard !account.isTLS || wanted != .never else {
            throw ToolFailure(.usage, "--tls never: pop3s:// is TLS: write pop3://")
        }
        policy =
            switch wanted {
            case _ where account.isTLS: .implicit
            case .implicit: .implicit
            case .require: .required
            case .never: .never
            case .auto: .opportunistic
            }
        deletes = arguments[Self.deleteAfter]
        timeout = arguments[Self.timeout]
        certificates = try Self.tls.certificates(arguments)
        let method = try Self.method(arguments)
        self.method = method
        guard let secret = try Self.secrets.read(arguments, of: account.user) else {
            throw ToolFailure(.usage, "\(account.name): needs \(SecretOptions.names)")
        }
        var token = if case .token = secret { true } else { false }
        if case .mechanism(let mechanism) = method {
            guard !token || mechanism.takesToken else {
                throw ToolFailure(.usage, "--auth \(mechanism.rawValue.asciiLowercased): takes a password, not a token")
            }
            token = mechanism.takesToken
        } else if method != nil, token {
            throw ToolFailure(.usage, "--auth \(arguments[Self.auth] ?? ""): takes a password, not a token")
        }
        let bytes =
            switch secret {
            case .password(let bytes), .token(let bytes): bytes
            }
        var credentials = SASLCredentials(
            user: Array(account.user.utf8), secret: token ? .token(bytes) : .password(bytes),
            allowedInClear: wanted == .never)
        credentials.host = account.host
        credentials.port = account.port
        self.credentials = credentials
    }

    private static func method(_ arguments: Arguments) throws(ToolFailure) -> POP3ClientSession.Method? {
        guard let name = arguments[auth], name.asciiLowercased != "auto" else { return nil }
        switch name.asciiLowercased {
        case "apop": return .apop
        case "user": return .password
        default:
            guard let mechanism = SASLClientMechanism(rawValue: name.uppercased()) else {
                throw ToolFailure(.usage, "--auth \(name): must be one of \(methods.joined(separator: ", "))")
            }
            return .mechanism(mechanism)
        }
    }

    func makeTLSContext() throws(ToolFailure) -> TLSContext {
        do throws(OpenSSLError) {
            return try TLSContext(
                authorities: certificates.authorities, verifying: !certificates.acceptsAny,
                certificateChain: certificates.certificate, key: certificates.key)
        } catch {
            throw ToolFailure(.configuration, "\(error)")
        }
    }
}
