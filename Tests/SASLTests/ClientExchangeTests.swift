import Bytes
import OpenSSL
import SASL
import TestSupport
import Testing

@Suite("Authentication, the client's side (RFC 4422)")
struct ClientExchangeTests {
    private static func credentials(
        _ secret: SASLCredentials.Secret = .password(Array("pencil".utf8)), user: String = "user",
        nonce: String = "rOprNGfwEbeRWgbNEkqO", _ mechanism: SASLClientMechanism? = nil
    ) -> SASLCredentials {
        SASLCredentials(user: Array(user.utf8), secret: secret, mechanism: mechanism) { () throws(OpenSSLError) in
            Array(nonce.utf8)
        }
    }

    @Test("SCRAM-SHA-256 says what the example of RFC 7677 3 says, and believes the server only then")
    func scram256() throws {
        var exchange = SASLClientExchange(.scramSHA256, Self.credentials())
        #expect(try exchange.initialResponse()?.text == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        let challenge =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        #expect(
            try exchange.respond(to: Array(challenge.utf8)).text
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
        #expect(!exchange.isServerTrusted)
        #expect(try exchange.respond(to: Array("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".utf8)).isEmpty)
        #expect(exchange.isServerTrusted)
    }

    @Test("SCRAM-SHA-1 says what the example of RFC 5802 5 says")
    func scram1() throws {
        var exchange = SASLClientExchange(.scramSHA1, Self.credentials(nonce: "fyko+d2lbbFgONRv9qkxdawL"))
        #expect(try exchange.initialResponse()?.text == "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")
        let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
        #expect(
            try exchange.respond(to: Array(challenge.utf8)).text
                == "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")
        #expect(try exchange.respond(to: Array("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=".utf8)).isEmpty)
    }

    /// Challenges of SCRAM that no honest server sends.
    static let badChallenges = [
        "", "r=x,s=c2FsdA==,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=c2FsdA==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqO1,s=*,i=4096", "r=rOprNGfwEbeRWgbNEkqO1,s=c2FsdA==,i=0",
        "r=rOprNGfwEbeRWgbNEkqO1,s=c2FsdA==,i=99999999999", "r=rOprNGfwEbeRWgbNEkqO1,s=c2FsdA==", "e=other-error",
    ]

    @Test("a server that does not keep to SCRAM gets nothing", arguments: badChallenges)
    func badChallenge(_ challenge: String) throws {
        var exchange = SASLClientExchange(.scramSHA256, Self.credentials())
        _ = try exchange.initialResponse()
        #expect(throws: SASLFailure.self) { try exchange.respond(to: Array(challenge.utf8)) }
    }

    @Test("both sides of each mechanism agree", arguments: SASLMechanism.allCases)
    func agreement(_ mechanism: SASLMechanism) throws {
        let bindings: [TLSChannelBinding: [UInt8]] = [.exporter: [1, 2, 3]]
        let server = SASLServerContext(
            secrets: OneAccount(name: "t,i=m", secret: "secret"), hostName: "mx.example", channelBindings: bindings)
        for secret in ["secret", "wrong"] {
            let client = try #require(SASLClientMechanism(rawValue: mechanism.rawValue))
            let bytes = Array(secret.utf8)
            var credentials = Self.credentials(client.takesToken ? .token(bytes) : .password(bytes), user: "t,i=m")
            credentials.host = "mx.example"
            credentials.port = 25
            var exchange = SASLClientExchange(client, credentials, bindings: bindings)
            var other = SASLServerExchange(mechanism, server)
            let initial = try exchange.initialResponse()
            var step = other.begin(initialResponse: initial.map { Array(Base64.encode($0).utf8) })
            while case .challenge(let text) = step {
                let decoded = Base64.decodeStrictly(Array(text.utf8).span)
                let challenge = try #require(decoded)
                let response = try exchange.respond(to: challenge)
                step = other.respond(Array(Base64.encode(response).utf8))
            }
            if secret == "secret" {
                #expect(step == .success(AuthenticatedUser("t,i=m")) && exchange.isServerTrusted)
            } else {
                #expect(step == .failure(.wrongCredentials))
            }
        }
    }

    @Test("XOAUTH2 and OAUTHBEARER show the token, and hear why it is refused (RFC 7628 3)")
    func tokens() throws {
        var old = SASLClientExchange(.xoauth2, Self.credentials(.token(Array("ya29.x".utf8)), user: "u@example.org"))
        #expect(try old.initialResponse()?.text == "user=u@example.org\u{1}auth=Bearer ya29.x\u{1}\u{1}")
        #expect(try old.respond(to: Array("{\"status\":\"400\"}".utf8)).isEmpty)
        #expect(old.refusal == "{\"status\":\"400\"}")
        var new = SASLClientExchange(.oauthBearer, Self.credentials(.token(Array("ya29.x".utf8)), user: "u"))
        #expect(try new.initialResponse()?.text == "n,a=u,\u{1}auth=Bearer ya29.x\u{1}\u{1}")
        #expect(try new.respond(to: []) == [1])
    }

    @Test("the best mechanism is taken: none that shows the secret in clear, bound to TLS when that can be")
    func choice() {
        let offered = SASLClientMechanism.allCases.map(\.rawValue)
        let password = Self.credentials()
        #expect(password.candidates(offered: offered, isEncrypted: false) == [.scramSHA256, .scramSHA1, .cramMD5])
        #expect(
            password.candidates(offered: offered, isEncrypted: true, bindings: [.unique: [1]])
                == [.scramSHA256Plus, .scramSHA256, .scramSHA1Plus, .scramSHA1, .plain, .login, .cramMD5])
        let token = Self.credentials(.token([1]))
        #expect(token.candidates(offered: offered, isEncrypted: true) == [.oauthBearer, .xoauth2])
        #expect(token.candidates(offered: offered, isEncrypted: false).isEmpty)
        #expect(
            Self.credentials(.token([1]), .xoauth2).candidates(offered: ["XOAUTH2"], isEncrypted: true) == [.xoauth2])
    }

    @Test("mutated challenges never trap")
    func mutations() throws {
        var random = SeededGenerator(seed: 5_802)
        let good = Array("r=rOprNGfwEbeRWgbNEkqO1,s=c2FsdA==,i=2".utf8)
        for _ in 0..<500 {
            var exchange = SASLClientExchange(.scramSHA256, Self.credentials())
            _ = try exchange.initialResponse()
            let challenge = random.mutated(good)
            // What asks for much work is not the subject here.
            guard challenge.text.split(separator: "=").last.flatMap({ Int($0) }) ?? 0 < 1_000 else { continue }
            _ = try? exchange.respond(to: challenge)
            _ = try? exchange.respond(to: challenge)
        }
    }
}
