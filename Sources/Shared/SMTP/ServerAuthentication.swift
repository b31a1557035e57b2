import Bytes

// AUTH without the mechanisms themselves: who drives the session runs them (RFC 4954).
extension ServerSession {
    /// Failures in one session before it is closed.
    private static let failureLimit = 3

    mutating func authenticate(_ argument: [UInt8]) -> Step? {
        guard clientName != nil, isExtended else { return mistake(Reply(503, "5.5.1", "say EHLO first")) }
        guard user == nil else { return mistake(Reply(503, "5.5.1", "logged in already")) }
        guard !isInTransaction else { return mistake(Reply(503, "5.5.1", "not within a transaction")) }
        let words = argument.split(separator: ASCII.space)
        guard let name = words.first, words.count <= 2 else {
            return mistake(Reply(501, "5.5.4", "the syntax is AUTH mechanism [initial response]"))
        }
        let mechanism = name.text.uppercased()
        guard mechanisms.contains(mechanism) else {
            if configuration.mechanisms.isEmpty, configuration.mechanismsOverTLS.isEmpty {
                return mistake(Reply(502, "5.5.1", "AUTH is not offered"))
            }
            if !isTLS, configuration.mechanismsOverTLS.contains(mechanism) {
                return mistake(Reply(538, "5.7.11", "passwords are taken over TLS only: say STARTTLS first"))
            }
            return mistake(Reply(504, "5.5.4", "no such mechanism: \(mechanisms.joined(separator: " "))"))
        }
        let initial = words.count == 2 ? Array(words[1]) : nil
        return ask(.authenticating, .authenticate(mechanism: mechanism, initialResponse: initial))
    }

    /// The mechanism's next challenge for the client, in base64.
    package mutating func challenge(_ text: String) {
        guard case .authenticating = phase else { return }
        phase = .awaitingResponse
        say(Reply(334, nil, text))
    }

    /// The end of the exchange: who has logged in, or nil and the reply that says why nobody has.
    package mutating func answerAuthentication(user: String?, _ refusal: Reply? = nil) {
        guard case .authenticating = phase else { return }
        phase = .command
        if let user {
            self.user = user
            say(Reply(235, "2.7.0", "authentication succeeded"))
            return
        }
        let reply = refusal ?? Reply(535, "5.7.8", "authentication failed")
        say(reply)
        guard reply.code == 535 else { return }
        failedAuthentications += 1
        if failedAuthentications >= ServerSession.failureLimit {
            end(with: Reply(421, "4.7.0", "\(hostName): too many failed authentications"))
        }
    }
}
