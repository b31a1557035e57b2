import Bytes
import OpenSSL
import SASL

// Logging in: the mechanisms of AUTH (RFC 5034), APOP and USER with PASS (RFC 1939 7), the best one first.
extension POP3ClientSession {
    struct LoginState: Sendable {
        /// That of the greeting, with its angle brackets.
        var timestamp: String?
        var bindings: [TLSChannelBinding: [UInt8]] = [:]
        /// The ways that are still to be tried, the best first.
        var methods: ArraySlice<Method> = []
        var method: Method?
        var exchange: SASLClientExchange?
        var hasSentPassword = false
    }

    /// RFC 2449 4: a command has 255 octets at most, with its line end.
    private static let commandLimit = 253

    /// A secret may be sent as it is.
    private var mayShowSecret: Bool { isTLS || configuration.isLocal || configuration.credentials.allowedInClear }

    private var password: [UInt8]? {
        if case .password(let password) = configuration.credentials.secret { password } else { nil }
    }

    /// The ways to log in, the best first. Within TLS a password as it is comes before a digest by MD5, which protects
    /// nothing more and needs the password in the clear at the server.
    func methods() -> [Method] {
        let isWanted = { (method: Method) in configuration.method == nil || configuration.method == method }
        var credentials = configuration.credentials
        credentials.allowedInClear = mayShowSecret
        let mechanisms = credentials.candidates(
            offered: capabilities.mechanisms, isEncrypted: isTLS, bindings: login.bindings)
        let digests = mechanisms.filter { !$0.showsSecret && !(isTLS && $0 == .cramMD5) }.map(Method.mechanism)
        let shown = mechanisms.filter(\.showsSecret).map(Method.mechanism)
        var weak: [Method] = isTLS && mechanisms.contains(.cramMD5) ? [.mechanism(.cramMD5)] : []
        if login.timestamp != nil, password != nil { weak.append(.apop) }
        var plain = shown
        // A server that says what it can and leaves USER out does not take it; one that says nothing may.
        let hasUser = capabilities.has("USER") || (shown.isEmpty && digests.isEmpty && weak.isEmpty)
        if password != nil, mayShowSecret, hasUser || configuration.method == .password { plain.append(.password) }
        return (isTLS ? digests + plain + weak : digests + weak + plain).filter(isWanted)
    }

    mutating func beginLogin() throws(POP3ClientFailure) {
        phase = .login
        login.methods = methods()[...]
        guard !login.methods.isEmpty else {
            let offered = capabilities.mechanisms.joined(separator: " ")
            let hidden = mayShowSecret ? "" : ": the connection is not encrypted, so that the password is not shown"
            throw POP3ClientFailure(
                hidden.isEmpty ? .permanent : .insecure,
                "no way to log in that the server offers\(offered.isEmpty ? "" : " (\(offered))") can be used\(hidden)")
        }
        try tryNextMethod()
    }

    private mutating func tryNextMethod() throws(POP3ClientFailure) {
        guard let method = login.methods.popFirst() else { return }
        login.method = method
        login.hasSentPassword = false
        login.exchange = nil
        let user = configuration.credentials.user
        guard !user.contains(where: { $0 == ASCII.cr || $0 == ASCII.lf || $0 == ASCII.nul }),
            !(password ?? []).contains(where: { $0 == ASCII.cr || $0 == ASCII.lf })
        else { throw POP3ClientFailure(.credentials, "a name or password with a line end cannot be sent") }
        switch method {
        case .password: say(Array("USER ".utf8) + user)
        case .apop:
            let digest = try cryptography { () throws(OpenSSLError) in
                try APOP.digest(timestamp: login.timestamp ?? "", secret: password ?? [])
            }
            say(Array("APOP ".utf8) + user + Array(" \(digest)".utf8))
        case .mechanism(let mechanism):
            var exchange = SASLClientExchange(mechanism, configuration.credentials, bindings: login.bindings)
            var line = "AUTH \(mechanism.rawValue)"
            do throws(SASLFailure) {
                if let response = try exchange.initialResponse() {
                    let encoded = response.isEmpty ? "=" : Base64.encode(response)
                    if line.utf8.count + 1 + encoded.utf8.count <= Self.commandLimit {
                        line += " \(encoded)"
                    } else {
                        exchange.initialResponseWithheld()
                    }
                }
            } catch {
                throw .ofExchange(error)
            }
            login.exchange = exchange
            say(line)
        }
    }

    /// The server's answer to a step of the login.
    mutating func continueLogin(_ line: [UInt8]) throws(POP3ClientFailure) -> Event? {
        if line.first == ASCII.plus, line.count == 1 || line[1] == ASCII.space, login.exchange != nil {
            try respond(to: line.dropFirst(2))
            return nil
        }
        guard let reply = POP3Reply(line) else { throw .noReply(line, to: "the login") }
        guard reply.isPositive else {
            try refuse(reply)
            return nil
        }
        if login.method == .password, !login.hasSentPassword {
            login.hasSentPassword = true
            say(Array("PASS ".utf8) + (password ?? []))
            return nil
        }
        guard login.exchange?.isServerTrusted ?? true else {
            throw POP3ClientFailure(.insecure, "the server says yes, but has not proved that it knows the password")
        }
        return loginEnded()
    }

    private mutating func respond(to challenge: ArraySlice<UInt8>) throws(POP3ClientFailure) {
        guard var exchange = login.exchange else { return }
        guard let decoded = Base64.decodeStrictly(Array(challenge).span) else {
            throw POP3ClientFailure(.violation, "the challenge is no base64")
        }
        do throws(SASLFailure) {
            say(Base64.encode(try exchange.respond(to: decoded)))
        } catch {
            throw .ofExchange(error)
        }
        login.exchange = exchange
    }

    /// The login is refused: another way that proves something else may be taken, as where APOP is offered and the
    /// account has no password in the clear. The same proof a second time would only count as a second failure.
    private mutating func refuse(_ reply: POP3Reply) throws(POP3ClientFailure) {
        var failure = POP3ClientFailure.refused(reply, "the login", usually: .credentials)
        if let refusal = login.exchange?.refusal, !refusal.isEmpty {
            failure = POP3ClientFailure(failure.kind, "\(failure.text) (\(refusal.prefix(200)))")
        }
        guard failure.kind == .credentials, login.method.map(\.isDigest) ?? false else { throw failure }
        login.methods = login.methods.drop(while: \.isDigest)
        guard !login.methods.isEmpty else { throw failure }
        try tryNextMethod()
    }
}

extension POP3ClientSession.Method {
    /// It proves the password without showing it, for which the server must have stored it in a certain form.
    fileprivate var isDigest: Bool {
        switch self {
        case .mechanism(let mechanism): !mechanism.showsSecret
        case .apop: true
        case .password: false
        }
    }
}

extension POP3ClientFailure {
    fileprivate static func ofExchange(_ failure: SASLFailure) -> Self {
        switch failure {
        case .malformed(let problem): Self(.violation, problem)
        case .unavailable(let problem): Self(.temporary, problem)
        case .cancelled, .badEncoding, .wrongCredentials: Self(.credentials, "the login has failed")
        }
    }
}

private func cryptography<Value>(
    _ body: () throws(OpenSSLError) -> Value
) throws(POP3ClientFailure) -> Value {
    do throws(OpenSSLError) { return try body() } catch { throw POP3ClientFailure(.temporary, "\(error)") }
}
