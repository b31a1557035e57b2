import Bytes
import SASL

/// From the greeting to the first message: EHLO or HELO, STARTTLS, AUTH.
extension ClientSession {
    /// RFC 5321 3.1: 220, or 554 and the like: this host takes no mail.
    mutating func greeted(_ reply: Reply) {
        switch reply.code / 100 {
        case 2 where configuration.lastStep == .greeting: stop(reply)
        // TLS was there before the greeting.
        case 2 where configuration.lastStep == .tls && isEncrypted: stop(reply)
        case 2: sendHello()
        case 4, 5: give(up: ClientResult(negative: reply, cause: .host))
        default: unexpected(reply, at: .greeting)
        }
    }

    mutating func sendHello() {
        switch configuration.dialect {
        case .smtp: send("EHLO \(configuration.heloName)", awaiting: .ehlo)
        case .lmtp: send("LHLO \(configuration.heloName)", awaiting: .ehlo)
        }
    }

    /// A server that does not know EHLO is asked again with HELO (RFC 5321 3.2).
    mutating func answeredEHLO(_ reply: Reply) {
        switch reply.code / 100 {
        case 2:
            extensions = ClientExtensions(lines: reply.lines)
            helloDone(reply)
        case 5 where configuration.dialect == .smtp: send("HELO \(configuration.heloName)", awaiting: .helo)
        case 4, 5: give(up: ClientResult(negative: reply, cause: .host))
        default: unexpected(reply, at: .hello)
        }
    }

    mutating func answeredHELO(_ reply: Reply) {
        switch reply.code / 100 {
        case 2: helloDone(reply)
        case 4, 5: give(up: ClientResult(negative: reply, cause: .host))
        default: unexpected(reply, at: .hello)
        }
    }

    private mutating func helloDone(_ reply: Reply) {
        if !isEncrypted {
            switch configuration.tls {
            case .opportunistic where extensions.startTLS, .required where extensions.startTLS:
                return send("STARTTLS", awaiting: .startTLS)
            case .required:
                return give(up: .noTLS("the server does not offer STARTTLS"))
            // Without the step that was to be the last, nothing further is done either.
            case .opportunistic where configuration.lastStep == .tls:
                return give(up: .noTLS("the server does not offer STARTTLS"))
            case .never, .opportunistic, .implicit: break
            }
        }
        if configuration.lastStep == .hello { return stop(reply) }
        guard let credentials = configuration.credentials else { return becomeReady() }
        mechanisms = credentials.candidates(
            offered: extensions.mechanisms, isEncrypted: isEncrypted, bindings: bindings)
        startAuthentication()
    }

    /// A server that offered STARTTLS and then refuses is used in clear only when that was allowed anyway.
    mutating func answeredSTARTTLS(_ reply: Reply) {
        switch reply.code / 100 {
        case 2: actions.append(.startTLS)
        case 4 where goesOnInClear, 5 where goesOnInClear:
            extensions.startTLS = false
            helloDone(reply)
        case 4, 5:
            give(up: .noTLS("the server refused STARTTLS: \(reply.oneLine)"))
        default: unexpected(reply, at: .tls)
        }
    }

    private var goesOnInClear: Bool { configuration.tls == .opportunistic && configuration.lastStep != .tls }

    private mutating func becomeReady() {
        phase = .ready
    }

    // MARK: - AUTH (RFC 4954)

    private mutating func startAuthentication() {
        guard let credentials = configuration.credentials, !mechanisms.isEmpty else {
            return give(up: noMechanism)
        }
        var exchange = SASLClientExchange(mechanisms.removeFirst(), credentials, bindings: bindings)
        var line = "AUTH \(exchange.mechanism.rawValue)"
        do throws(SASLFailure) {
            if let response = try exchange.initialResponse() {
                let encoded = Base64.encode(response)
                // The command line may not exceed 512 octets; a longer response waits for the challenge (RFC 4954 4).
                if line.utf8.count + 1 + encoded.utf8.count <= 510 {
                    line += " " + (encoded.isEmpty ? "=" : encoded)
                    outputIsConcealed = true
                } else {
                    exchange.initialResponseWithheld()
                }
            }
        } catch {
            return give(up: .cannotAuthenticate(exchange.mechanism, error))
        }
        authentication = exchange
        send(line, awaiting: .authentication)
    }

    /// Why none of the mechanisms that the server offers can be used.
    private var noMechanism: ClientResult {
        let offered = extensions.mechanisms
        let wanted = configuration.credentials?.mechanism?.rawValue
        let isOnlyClear =
            !(configuration.credentials?.candidates(offered: offered, isEncrypted: true, bindings: bindings) ?? [])
            .isEmpty
        let text =
            if offered.isEmpty {
                "the server offers no authentication"
            } else if isOnlyClear {
                "the password is not sent without TLS, and the server offers only \(offered.joined(separator: " "))"
            } else if let wanted {
                "the server does not offer \(wanted), but \(offered.joined(separator: " "))"
            } else {
                "the server offers no mechanism that fits: \(offered.joined(separator: " "))"
            }
        return ClientResult(outcome: .refused, enhanced: "5.7.4", text: text, cause: .authentication)
    }

    mutating func answeredAUTH(_ reply: Reply) {
        switch reply.code {
        case 334: respond(to: reply)
        // Who accepts without having proved that it knows the password is not the server that it claims to be.
        case 200..<300 where !(authentication?.isServerTrusted ?? true):
            close(
                ClientResult(
                    outcome: .refused, enhanced: "5.7.0",
                    text: "the server has not proved that it knows the password: it may be another one",
                    cause: .authentication))
        case 200..<300 where configuration.lastStep == .authentication: stop(reply)
        case 200..<300: becomeReady()
        // The mechanism is not to the server's liking: the next one.
        case 504 where !mechanisms.isEmpty, 534 where !mechanisms.isEmpty: startAuthentication()
        case 400..<600:
            var result = ClientResult(negative: reply, cause: .authentication)
            if let refusal = authentication?.refusal { result.text += " (\(refusal))" }
            if let problem = authenticationProblem { result.text = "\(problem)\n\(result.text)" }
            give(up: result)
        default: unexpected(reply, at: .authentication)
        }
    }

    private mutating func respond(to reply: Reply) {
        let challenge = Base64.decode(Array(reply.text.utf8).span).bytes
        outputIsConcealed = true
        do throws(SASLFailure) {
            guard let response = try authentication?.respond(to: challenge) else { return }
            send(Base64.encode(response), awaiting: .authentication)
        } catch {
            authenticationProblem = ClientResult.words(error)
            send("*", awaiting: .authentication)
        }
    }
}

extension ClientResult {
    /// Encryption was asked for and cannot be had. It is for the server's people to mend, so it is temporary.
    fileprivate static func noTLS(_ text: String) -> ClientResult {
        ClientResult(outcome: .temporary, enhanced: "4.7.4", text: "TLS is required, but \(text)", cause: .tls)
    }

    /// What is wrong, in words for people.
    fileprivate static func words(_ failure: SASLFailure) -> String {
        switch failure {
        case .malformed(let text), .unavailable(let text): text
        case .cancelled: "it was cancelled"
        case .badEncoding: "the challenge is no base64"
        case .wrongCredentials: "the credentials are wrong"
        }
    }

    fileprivate static func cannotAuthenticate(_ mechanism: SASLClientMechanism, _ failure: SASLFailure) -> ClientResult
    {
        ClientResult(
            outcome: .temporary, enhanced: "4.7.0", text: "\(mechanism.rawValue) does not work here: \(words(failure))",
            cause: .authentication)
    }
}
