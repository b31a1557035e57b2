import Accounts
import Bytes
import OpenSSL
import SASL
import TestSupport
import Testing

extension SASLVerdict {
    /// The user when the password is right.
    var user: AuthenticatedUser? {
        if case .right(let user) = self { user } else { nil }
    }
}

@Suite("Password files")
struct PasswordFileTests {
    static let text = """
        # comment
        anna:{PLAIN}correct horse:1000:1001::/home/anna::
        bob:{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/
        mrose:{PLAIN}tanstaaf

        """

    private func file(_ text: String) throws -> PasswordFile { try PasswordFile(Array(text.utf8)) }

    private func judge(_ file: PasswordFile, _ user: String, _ password: String) -> AuthenticatedUser? {
        file.judge(user, password: Array(password.utf8)).user
    }

    @Test("plain and hashed secrets are compared, unknown users refused")
    func passwords() throws {
        let file = try file(Self.text)
        let anna = AuthenticatedUser("anna", uid: 1_000, gid: 1_001, home: "/home/anna")
        #expect(judge(file, "anna", "correct horse") == anna)
        for (user, password) in [
            ("anna", "correct horse "), ("anna", ""), ("ANNA", "correct horse"), ("nobody", ""), ("bob", "wrong"),
        ] {
            #expect(file.judge(user, password: Array(password.utf8)) == .wrong)
        }
        #expect(file.supports(.cramMD5) && file.supports(.scramSHA1))
    }

    // Made by doveadm pw and openssl passwd.
    @Test(
        "each scheme takes its password and no other",
        arguments: [
            "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            "{SHA}00hq6RNueFa8QiEjhep5cJRHWAI=",
            "{SSHA}k7KTRWHoOaUPXhKDDqvD1xdQqOtXdpHY",
            "{SHA256}wFNeS+K3n/2TKRMFQ2v4iTFOSj+uwF7P/Lt98xrZ5Ro=",
            "{SSHA256}1LxbpeZ9t8nQMFU9GNsD+1YTXpFrzgsRU9UXksSFgb/nWNyD",
            "{SHA512}9s3ioPgZMUzd5V/CJ9jX2uPSjMVWIioKitZtkcytSq1glPUXohgjYMmqz2o9wyMWLLb9jN/+2w/gOPVehf+1tg==",
            "{SSHA512}9E4deYb0k1tbet/n6JLZi6lk+e5XLkwawdCpYngNn1BHDj1CWHZC1PU6XnW2PCm8jIhFHe8PBxIhD2Sat1tVyMr1q7g=",
            "{SMD5}oQxOdZGAMMtDoiK4EQjNhSwPYY0=",
            "{PLAIN-MD5}86fb269d190d2c85f6e0468ceca42a20",
            "{LDAP-MD5}hvsmnRkNLIX24EaM7KQqIA==",
            "{MD5-CRYPT}$1$ioYgvSG/$8olCuNuF3aZEXAe8bIKZ80",
            "{SHA256-CRYPT}$5$rounds=4096$8CwE9Cdin0tLUY4B$iyKXA1x8cNOiH4MQDwBlYPmqRNaJrrGqRUbyVs8YKs4",
            "{BLF-CRYPT}$2y$05$VGuW/juTa0fg45ICXSPpEe731s/ocQwrWAxnZYIIgnvGcL5Rc5SLq",
            "{PBKDF2}$1$blsEff19DtkZXlAf$5000$2ee9e0a806743449c5c2f308c3578b7da828b865",
            "{SCRAM-SHA-1}4096,Ng90r6BgUYGLQk1i1TW1Vg==,Thudo/qwSmL9w4+fErYTCogVaLQ=,6v+F6uVIuz5csZ+k9wNldNq7gPc=",
            "{SCRAM-SHA-256}4096,H+HEQBtqwWT0jYFszoSJdw==,SuY9xqEHKkw3px+vwmvaUPPx0fA+YRIVcUquNagEEz0=,AXoMFfbyBDOsRmZh5PhzJR1ezIzivUUNdHQ1vqLdPQo=",
            "{SHA256.HEX}c0535e4be2b79ffd93291305436bf889314e4a3faec05ecffcbb7df31ad9e51a",
            "{PLAIN.B64}SGVsbG8gd29ybGQh",
            "{YESCRYPT}$y$j75$F5Jx5fExrKuPp53xLKQ..1$f2itnMrRpK.7/qouLjCA8FmdTxLajBjBbFKcf7iQD2B",
        ])
    func schemes(_ secret: String) throws {
        let file = try file("bob:\(secret):1:2::/h::\n")
        #expect(judge(file, "bob", "Hello world!") == AuthenticatedUser("bob", uid: 1, gid: 2, home: "/h"))
        #expect(file.judge("bob", password: Array("Hello world".utf8)) == .wrong)
        #expect(file.judge("bob", password: []) == .wrong)
    }

    @Test("without secrets in the clear there is no CRAM-MD5; SCRAM is there when its keys are")
    func mechanisms() throws {
        let hashed = try file("bob:{SHA512-CRYPT}$6$x$y\n")
        #expect(!hashed.supports(.cramMD5) && !hashed.supports(.scramSHA256) && hashed.supports(.plain))
        let keys = try file("bob:\(Self.scram)\n")
        #expect(!keys.supports(.cramMD5) && keys.supports(.scramSHA256Plus) && !keys.supports(.scramSHA1))
    }

    static let scram =
        "{SCRAM-SHA-256}4096,H+HEQBtqwWT0jYFszoSJdw==,SuY9xqEHKkw3px+vwmvaUPPx0fA+YRIVcUquNagEEz0=,AXoMFfbyBDOsRmZh5PhzJR1ezIzivUUNdHQ1vqLdPQo="

    @Test("SCRAM keys: stored, derived, and made up ones that stay the same")
    func scramKeys() throws {
        let file = try file("a:\(Self.scram)\nb:{PLAIN}x\n")
        #expect(try file.scramKeys(of: "a", .sha256).user?.name == "a")
        #expect(try file.scramKeys(of: "a", .sha1).user == nil)
        #expect(try file.scramKeys(of: "b", .sha1).user?.name == "b")
        let unknown = try file.scramKeys(of: "c", .sha256)
        #expect(unknown.user == nil && unknown.salt.count == 16)
        #expect(try file.scramKeys(of: "c", .sha256) == unknown)
        #expect(try file.scramKeys(of: "d", .sha256).salt != unknown.salt)
    }

    @Test("APOP: the example of RFC 1939 7")
    func apop() throws {
        let file = try file(Self.text)
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>"
        let digest = "c4c9334bac560ecc979e58001b3e22fb"
        #expect(APOP.judge("mrose", digest: digest, timestamp: timestamp, file).user?.name == "mrose")
        #expect(APOP.judge("mrose", digest: digest, timestamp: "<x>", file) == .wrong)
        #expect(APOP.judge("bob", digest: digest, timestamp: timestamp, file) == .wrong)
        #expect(APOP.judge("nobody", digest: digest, timestamp: timestamp, file) == .wrong)
    }

    @Test(
        "lines that cannot be read are told",
        arguments: [
            ("a\n", 1), ("\n:x\n", 2), ("a:{WHAT}x\n", 1), ("a:plain\n", 1), ("a:{PLAIN}\na:{PLAIN}\n", 2),
            ("a:{PLAIN}x:me\n", 1), ("a:{PLAIN}x:4294967295\n", 1), ("a:{SHA256}AAAA\n", 1), ("a:{CRYPT}\n", 1),
            ("a:{SCRAM-SHA-256}4096,x,y\n", 1), ("a:{SHA256.FOO}x\n", 1), ("a:{PBKDF2}$1$a$0$00\n", 1),
        ])
    func broken(_ text: String, _ line: Int) {
        #expect {
            _ = try PasswordFile(Array(text.utf8))
        } throws: { ($0 as? PasswordFileError)?.line == line }
    }

    @Test("any bytes are read or refused")
    func mutations() throws {
        var generator = SeededGenerator(seed: 3)
        let whole = Array((Self.text + "a:\(Self.scram)\n").utf8)
        for _ in 0..<500 { _ = try? PasswordFile(generator.mutated(whole)) }
    }
}
