import Bytes
import OpenSSL
import SASL
import TestSupport
import Testing

/// One account whose secret is known, beside many who are not.
struct OneAccount: SASLSecrets {
    let name: String
    let secret: String
    var salt = Array("salt".utf8)

    func supports(_ mechanism: SASLMechanism) -> Bool { true }

    func judge(_ user: String, password: [UInt8]) -> SASLVerdict {
        if user == "broken" { return .unavailable("no file") }
        return user == name && password.elementsEqual(secret.utf8) ? .right(AuthenticatedUser(name)) : .wrong
    }

    func judge(_ user: String, token: [UInt8]) -> SASLVerdict { judge(user, password: token) }

    func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? {
        user == name ? (Array(secret.utf8), AuthenticatedUser(name)) : nil
    }

    func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        guard user == name else { return ScramKeys(unusableSalt: Array("fake".utf8), digest) }
        return try ScramKeys(
            password: Array(secret.utf8), salt: salt, iterations: 4_096, digest, user: AuthenticatedUser(name))
    }
}

@Suite("Authentication, the server's side (RFC 4422)")
struct ServerExchangeTests {
    private static func context(
        _ account: OneAccount = OneAccount(name: "tim", secret: "tanstaaftanstaaf"), nonce: String = "nonce",
        bindings: [TLSChannelBinding: [UInt8]] = [:]
    ) -> SASLServerContext {
        SASLServerContext(
            secrets: account, hostName: "postoffice.reston.mci.net", channelBindings: bindings,
            offersChannelBinding: !bindings.isEmpty
        ) { () throws(OpenSSLError) in Array(nonce.utf8) }
    }

    /// Runs a whole exchange of unencoded texts: the challenges, and the last step.
    private func run(
        _ mechanism: SASLMechanism, _ context: SASLServerContext, initial: String? = nil, _ responses: [String]
    ) -> (challenges: [String], last: SASLServerExchange.Step) {
        var exchange = SASLServerExchange(mechanism, context)
        var step = exchange.begin(initialResponse: initial.map { Array(Base64.encode(Array($0.utf8)).utf8) })
        var challenges: [String] = []
        var rest = responses[...]
        while case .challenge(let text) = step {
            challenges.append(Base64.decodeStrictly(Array(text.utf8).span)?.text ?? "?")
            guard let response = rest.popFirst() else { break }
            step = exchange.respond(Array(Base64.encode(Array(response.utf8)).utf8))
        }
        return (challenges, step)
    }

    private static let tim = SASLServerExchange.Step.success(AuthenticatedUser("tim"))

    @Test("PLAIN (RFC 4616): with and without initial response; nobody acts for another")
    func plain() {
        let context = Self.context()
        #expect(run(.plain, context, initial: "\0tim\0tanstaaftanstaaf", []) == ([], Self.tim))
        #expect(run(.plain, context, initial: "tim\0tim\0tanstaaftanstaaf", []) == ([], Self.tim))
        #expect(run(.plain, context, ["\0tim\0tanstaaftanstaaf"]) == ([""], Self.tim))
        #expect(run(.plain, context, initial: "\0tim\0x", []).last == .failure(.wrongCredentials))
        #expect(run(.plain, context, initial: "ann\0tim\0tanstaaftanstaaf", []).last == .failure(.wrongCredentials))
        #expect(run(.plain, context, initial: "\0broken\0x", []).last == .failure(.unavailable("no file")))
        for malformed in ["", "tim", "\0tim", "\0\0x", "a\0b\0c\0d"] {
            guard case .failure(.malformed) = run(.plain, context, initial: malformed, []).last else {
                Issue.record("\(malformed) passed")
                continue
            }
        }
    }

    @Test("LOGIN asks for name and password, or for the password alone")
    func login() {
        let context = Self.context()
        let secret = "tanstaaftanstaaf"
        #expect(run(.login, context, ["tim", secret]) == (["Username:", "Password:"], Self.tim))
        #expect(run(.login, context, initial: "tim", [secret]) == (["Password:"], Self.tim))
        #expect(run(.login, context, ["tim", ""]).last == .failure(.wrongCredentials))
    }

    @Test("`*` cancels, bad base64 is told, `=` is an empty initial response")
    func lines() {
        for mechanism in SASLMechanism.allCases {
            var exchange = SASLServerExchange(mechanism, Self.context())
            guard case .challenge = exchange.begin(initialResponse: nil) else {
                Issue.record("\(mechanism) has not begun")
                continue
            }
            #expect(exchange.respond(Array("*".utf8)) == .failure(.cancelled))
            exchange = SASLServerExchange(mechanism, Self.context())
            _ = exchange.begin(initialResponse: nil)
            #expect(exchange.respond(Array("!bad".utf8)) == .failure(.badEncoding))
        }
        var exchange = SASLServerExchange(.login, Self.context())
        #expect(exchange.begin(initialResponse: Array("=".utf8)) == .failure(.malformed("the user name is empty")))
    }

    @Test("CRAM-MD5: the example of RFC 2195 2")
    func cramMD5() {
        let context = Self.context(nonce: "1896.697170952")
        let answer = run(.cramMD5, context, ["tim b913a602c7eda7a495b4e6e7334d3890"])
        #expect(answer == (["<1896.697170952@postoffice.reston.mci.net>"], Self.tim))
        for wrong in ["tim b913a602c7eda7a495b4e6e7334d3891", "tom b913a602c7eda7a495b4e6e7334d3890", "tim "] {
            #expect(run(.cramMD5, context, [wrong]).last == .failure(.wrongCredentials))
        }
    }

    @Test("SCRAM-SHA-1: the example of RFC 5802 5")
    func scramSHA1() {
        let account = OneAccount(
            name: "user", secret: "pencil", salt: Base64.decodeStrictly(Array("QSXCR+Q6sek8bf92".utf8).span) ?? [])
        let context = Self.context(account, nonce: "3rfcNHYJY1ZVvWVs7j")
        let answer = run(
            .scramSHA1, context, initial: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            ["c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", ""])
        #expect(
            answer.challenges == [
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ])
        #expect(answer.last == .success(AuthenticatedUser("user")))
    }

    @Test("SCRAM-SHA-256: the example of RFC 7677 3, and what must be refused")
    func scramSHA256() {
        let account = OneAccount(
            name: "user", secret: "pencil",
            salt: Base64.decodeStrictly(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8).span) ?? [])
        let context = Self.context(account, nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        let answer = run(.scramSHA256, context, initial: first, ["c=biws,r=\(nonce),\(proof)", ""])
        #expect(answer.challenges.last == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        #expect(answer.last == .success(AuthenticatedUser("user")))
        let wrong = [
            "c=biws,r=\(nonce)x,\(proof)", "c=eSws,r=\(nonce),\(proof)",
            "c=biws,r=\(nonce),p=AHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        ]
        for message in wrong {
            #expect(run(.scramSHA256, context, initial: first, [message]).last == .failure(.wrongCredentials))
        }
        for message in ["", "c=biws", "c=biws,r=\(nonce)", "c=biws,r=\(nonce),p=AAAA", "r=x,c=y,\(proof)"] {
            guard case .failure(.malformed) = run(.scramSHA256, context, initial: first, [message]).last else {
                Issue.record("\(message) passed")
                continue
            }
        }
        for message in [
            "n,,n=user", "n=user,r=x", "n,,m=x,n=user,r=x", "p=tls-unique,,n=user,r=x", "n,,n=us=er,r=x",
            "n,,n=,r=x", "n,,n=user,r=", "x,,n=user,r=x", "",
        ] {
            guard case .failure(.malformed) = run(.scramSHA256, context, initial: message, []).last else {
                Issue.record("\(message) passed")
                continue
            }
        }
        #expect(run(.scramSHA256, context, initial: "n,a=ann,n=user,r=x", []).last == .failure(.wrongCredentials))
        // A user that does not exist is not told from one that does.
        #expect(
            run(.scramSHA256, context, initial: "n,,n=nobody,r=x", []).challenges.first?.hasSuffix("i=4096") ?? false)
    }

    /// The client's side of SCRAM, as far as the tests need it.
    private func scram(
        _ mechanism: SASLMechanism, header: String, data: [UInt8], _ context: SASLServerContext
    ) throws -> SASLServerExchange.Step {
        let digest = try #require(mechanism.scramDigest)
        var exchange = SASLServerExchange(mechanism, context)
        let bare = "n=tim,r=abc"
        let step = exchange.begin(initialResponse: Array(Base64.encode(Array((header + bare).utf8)).utf8))
        guard case .challenge(let encoded) = step else { return step }
        let first = Base64.decodeStrictly(Array(encoded.utf8).span)?.text ?? ""
        let without = "c=\(Base64.encode(Array(header.utf8) + data)),r=abcnonce"
        let message = Array("\(bare),\(first),\(without)".utf8)
        let salted = try HMAC.deriveKey(
            digest, password: Array("tanstaaftanstaaf".utf8), salt: Array("salt".utf8), iterations: 4_096)
        let key = try HMAC.authenticate(digest, key: salted, Array("Client Key".utf8))
        let signature = try HMAC.authenticate(digest, key: try Digest.hash(digest, key), message)
        let proof = Base64.encode(zip(key, signature).map { $0 ^ $1 })
        let answer = exchange.respond(Array(Base64.encode(Array("\(without),p=\(proof)".utf8)).utf8))
        guard case .challenge = answer else { return answer }
        return exchange.respond([])
    }

    @Test("channel binding (RFC 5802 6): bound to this connection; `y` is an attack when -PLUS was offered")
    func channelBinding() throws {
        let bindings: [TLSChannelBinding: [UInt8]] = [.exporter: [1, 2, 3], .serverEndPoint: [4]]
        let bound = Self.context(bindings: bindings)
        #expect(
            try scram(.scramSHA256Plus, header: "p=tls-exporter,,", data: [1, 2, 3], bound) == Self.tim)
        #expect(try scram(.scramSHA1Plus, header: "p=tls-server-end-point,,", data: [4], bound) == Self.tim)
        #expect(
            try scram(.scramSHA256Plus, header: "p=tls-exporter,,", data: [1, 2, 4], bound)
                == .failure(.wrongCredentials))
        #expect(try scram(.scramSHA256, header: "y,,", data: [], bound) == .failure(.wrongCredentials))
        #expect(try scram(.scramSHA256, header: "n,,", data: [], bound) == Self.tim)
        #expect(try scram(.scramSHA256, header: "y,,", data: [], Self.context()) == Self.tim)
        for (mechanism, header) in [
            (SASLMechanism.scramSHA256Plus, "n,,"), (.scramSHA256Plus, "p=tls-unique,,"),
            (.scramSHA256Plus, "p=foo,,"), (.scramSHA256, "p=tls-exporter,,"),
        ] {
            guard case .failure(.malformed) = try scram(mechanism, header: header, data: [], bound) else {
                Issue.record("\(mechanism) \(header) passed")
                continue
            }
        }
    }

    @Test("OAUTHBEARER (RFC 7628 3): a refused token is told, and the client must answer before the end")
    func oauthBearer() {
        let context = Self.context()
        let right = "n,a=tim,\u{1}host=x\u{1}port=110\u{1}auth=Bearer tanstaaftanstaaf\u{1}\u{1}"
        #expect(run(.oauthBearer, context, initial: right, []) == ([], Self.tim))
        #expect(run(.oauthBearer, context, [right]).last == Self.tim)
        for wrong in ["auth=Bearer x", "auth=Basic tanstaaftanstaaf", "auth=Bearer a b", "host=x"] {
            let answer = run(.oauthBearer, context, initial: "n,a=tim,\u{1}\(wrong)\u{1}\u{1}", ["\u{1}"])
            #expect(answer == (["{\"status\":\"invalid_token\"}"], .failure(.wrongCredentials)))
        }
        for malformed in ["", "n,a=tim,", "n,,\u{1}auth=Bearer x\u{1}\u{1}", "n,a=tim,\u{1}x\u{1}\u{1}"] {
            guard case .failure(.malformed) = run(.oauthBearer, context, initial: malformed, []).last else {
                Issue.record("\(malformed) passed")
                continue
            }
        }
    }

    @Test("any bytes get an answer")
    func mutations() {
        var generator = SeededGenerator(seed: 11)
        let messages = [
            "\0tim\0tanstaaftanstaaf", "n,,n=tim,r=abc", "c=biws,r=abcnonce,p=AAAA", "tim 00",
            "n,a=tim,\u{1}auth=Bearer x\u{1}\u{1}",
        ]
        for _ in 0..<2_000 {
            for mechanism in SASLMechanism.allCases where mechanism.scramDigest == nil || generator.next() % 8 == 0 {
                var exchange = SASLServerExchange(mechanism, Self.context())
                _ = exchange.begin(initialResponse: nil)
                for _ in 0..<2 {
                    let message = generator.mutated(Array(messages[Int(generator.next() % 5)].utf8))
                    _ = exchange.respond(Array(Base64.encode(message).utf8))
                }
            }
        }
    }
}
