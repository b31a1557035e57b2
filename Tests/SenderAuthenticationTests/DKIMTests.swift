import Bytes
import DNS
import OpenSSL
import SenderAuthentication
import TestSupport
import Testing

/// A key of the tests, and the record that publishes it.
func testKey(_ name: String) throws -> PrivateKey { try PrivateKey(pem: TestData.bytes("\(name).pem")) }

/// `p=` of a key: SubjectPublicKeyInfo for RSA, 32 bytes for Ed25519.
func publicText(_ key: PrivateKey) throws -> String {
    let der = try key.publicKeyDER()
    return Base64.encode(key.kind == .ed25519 ? Array(der.suffix(32)) : der)
}

/// A TXT line of a zone, in strings of at most 200 bytes.
func txt(_ name: String, _ text: String) -> String {
    var rest = text.utf8[...]
    var line = "\(name). TXT"
    repeat {
        line += " \"" + String(decoding: rest.prefix(200), as: UTF8.self) + "\""
        rest = rest.dropFirst(200)
    } while !rest.isEmpty
    return line + "\n"
}

/// What `bytes` come to with the keys of a zone, as at the time `time`.
func verify(_ bytes: [UInt8], _ zone: String, time: Int = 1_000) async throws -> SenderReport {
    var options = SenderVerifier.Options.patient
    options.time = time
    return try await SenderVerifier(try resolver(zone), options).verify(bytes, client: nil)
}

private let message = """
    From: Joe <joe@example.org>\r
    To: Suzie <suzie@example.net>\r
    Subject : Is  dinner\r
    \tready?\r
    Date: Fri, 11 Jul 2003 21:00:37 -0700\r
    \r
    Hi. \r
    \r
     We  lost\tthe game.\r
    \r
    \r

    """

@Suite struct DKIMTests {
    let ed25519: PrivateKey
    let rsa: PrivateKey
    let zone: String

    init() throws {
        ed25519 = try testKey("ed25519")
        rsa = try testKey("rsa2048")
        zone =
            txt("ed._domainkey.example.org", "v=DKIM1; k=ed25519; p=\(try publicText(ed25519))")
            + txt("rsa._domainkey.example.org", "v=DKIM1; p=\(try publicText(rsa))")
    }

    /// The message with a signature above it.
    func signed(
        _ text: String = message, _ key: PrivateKey? = nil, _ options: DKIMSigner.Options = DKIMSigner.Options(),
        time: Int = 1_000
    ) throws -> [UInt8] {
        let key = key ?? ed25519
        let signer = try DKIMSigner(
            domain: "example.org", selector: key.kind == .rsa ? "rsa" : "ed", key: key, options)
        let bytes = Array(text.utf8)
        return try DKIMSigner.sign(bytes.span, [signer], time: time)[0] + bytes
    }

    /// The only result of a message.
    func result(_ bytes: [UInt8], _ zone: String? = nil, time: Int = 1_000) async throws -> DKIMResult {
        try #require(try await verify(bytes, zone ?? self.zone, time: time).dkim.first)
    }

    @Test("RFC 8463 appendix A: both signatures")
    func rfc8463() async throws {
        let text = String(decoding: try TestData.bytes("rfc8463.eml"), as: UTF8.self)
        let keys = String(decoding: try TestData.bytes("rfc8463.zone"), as: UTF8.self)
        let report = try await verify(Array(text.utf8), keys, time: 1_528_637_909)
        #expect(report.dkim.map(\.verdict) == [.pass, .pass])
        #expect(report.dkim.map(\.keyBits) == [256, 1_024])
        #expect(report.dkim[1].findings == [.weakKey])
        let changed = text.replacing("dinner", with: "lunch")
        let other = try await verify(Array(changed.utf8), keys, time: 1_528_637_909)
        #expect(other.dkim.map(\.verdict) == [.fail, .fail])
        #expect(other.dkim.map(\.bodyHashAgrees) == [true, true])
    }

    @Test("RFC 6376 appendix A: the signed message, with the key of appendix C")
    func rfc6376() async throws {
        let bytes = try TestData.bytes("rfc6376.eml")
        let keys = String(decoding: try TestData.bytes("rfc6376.zone"), as: UTF8.self)
        let found = try await result(bytes, keys)
        #expect(found.verdict == .pass && found.keyBits == 1_024 && found.findings == [.weakKey])
        #expect(found.signature.identity == "joe@football.example.com" && found.domain == "example.com")
        // Simple canonicalization lets nothing change, not even the white space of a field's name or value.
        let text = String(decoding: bytes, as: UTF8.self)
        for change in [("Subject: Is", "Subject:  Is"), ("Subject:", "subject:"), ("Joe.\r\n", "Joe. \r\n")] {
            let other = try await result(Array(text.replacing(change.0, with: change.1).utf8), keys)
            #expect(other.verdict == .fail)
        }
        let blank = try await result(Array((text + "\r\n\r\n").utf8), keys)
        #expect(blank.verdict == .pass)
        let lf = try await result(Array(text.replacing("\r\n", with: "\n").utf8), keys)
        #expect(lf.verdict == .pass)
    }

    @Test("RFC 6376 3.4: every pair of forms with both keys, with LF and with CRLF")
    func forms() async throws {
        for key in [ed25519, rsa] {
            for header in [Canonicalization.simple, .relaxed] {
                for body in [Canonicalization.simple, .relaxed] {
                    var options = DKIMSigner.Options()
                    (options.headerForm, options.bodyForm) = (header, body)
                    let bytes = try signed(message, key, options)
                    #expect(try await result(bytes).verdict == .pass, "\(header)/\(body)")
                    #expect(try await result(bytes.filter { $0 != ASCII.cr }).verdict == .pass, "\(header)/\(body) LF")
                }
            }
        }
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let from: String
        let to: String
        /// The pairs of forms, header and body, that survive it.
        let survivors: [String]
    }

    static let changes = [
        Change(
            testDescription: "WSP at a line's end", from: "lost\tthe game.\r\n", to: "lost\tthe game. \t\r\n",
            survivors: ["simple/relaxed", "relaxed/relaxed"]),
        Change(
            testDescription: "a run of WSP", from: " We  lost\tthe", to: "\tWe lost the",
            survivors: ["simple/relaxed", "relaxed/relaxed"]),
        Change(
            testDescription: "fewer blank lines at the end", from: "game.\r\n\r\n\r\n", to: "game.\r\n",
            survivors: ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]),
        Change(
            testDescription: "no line end at the end", from: "game.\r\n\r\n\r\n", to: "game.",
            survivors: ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]),
        Change(
            testDescription: "WSP and no line end at the end", from: "game.\r\n\r\n\r\n", to: "game. \t",
            survivors: ["simple/relaxed", "relaxed/relaxed"]),
        Change(
            testDescription: "a line of WSP at the end", from: "game.\r\n\r\n\r\n", to: "game.\r\n \t \r\n\r\n",
            survivors: ["simple/relaxed", "relaxed/relaxed"]),
        Change(testDescription: "VT is no WSP", from: "game.", to: "game.\u{B}", survivors: []),
        Change(
            testDescription: "a name in capitals", from: "To: ", to: "TO: ",
            survivors: ["relaxed/simple", "relaxed/relaxed"]),
        Change(
            testDescription: "WSP before the colon", from: "Subject :", to: "Subject:",
            survivors: ["relaxed/simple", "relaxed/relaxed"]),
        Change(
            testDescription: "refolded", from: "Is  dinner\r\n\tready?", to: "Is\r\n dinner ready?  ",
            survivors: ["relaxed/simple", "relaxed/relaxed"]),
        Change(testDescription: "another subject", from: "dinner", to: "supper", survivors: []),
        Change(
            testDescription: "a field added that was oversigned", from: "Subject :", to: "Subject: x\r\nSubject :",
            survivors: []),
        Change(
            testDescription: "a field added that was not signed", from: "Subject :",
            to: "Cc: x@example.net\r\nSubject :",
            survivors: ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]),
    ]

    @Test("RFC 6376 3.4: what survives which form", arguments: changes)
    func change(_ change: Change) async throws {
        for header in [Canonicalization.simple, .relaxed] {
            for body in [Canonicalization.simple, .relaxed] {
                var options = DKIMSigner.Options()
                (options.headerForm, options.bodyForm) = (header, body)
                let text = String(decoding: try signed(message, nil, options), as: UTF8.self)
                #expect(text.contains(change.from))
                let changed = text.replacing(change.from, with: change.to)
                let isPass = try await result(Array(changed.utf8)).verdict == .pass
                #expect(isPass == change.survivors.contains("\(header)/\(body)"), "\(header)/\(body)")
            }
        }
    }

    @Test("RFC 6376 3.7: refolding b= keeps both forms alive, with white space around it")
    func refolded() async throws {
        for form in [Canonicalization.simple, .relaxed] {
            var options = DKIMSigner.Options()
            options.headerForm = form
            let text = String(decoding: try signed(message, nil, options), as: UTF8.self)
            let changed = text.replacing("\tb=", with: "\tb= \r\n\t ")
            #expect(changed != text)
            #expect(try await result(Array(changed.utf8)).verdict == .pass, "\(form)")
        }
    }

    @Test(
        "RFC 6376 3.4.3, 3.4.4: an empty body, with and without an empty line", arguments: ["", "\r\n", "\r\n\r\n\r\n"])
    func emptyBody(_ end: String) async throws {
        for form in [Canonicalization.simple, .relaxed] {
            var options = DKIMSigner.Options()
            options.bodyForm = form
            let header = "From: a@example.org\r\n"
            let bytes = try signed(header, nil, options)
            let other = String(decoding: bytes, as: UTF8.self) + end
            #expect(try await result(Array(other.utf8)).verdict == .pass, "\(form)")
        }
    }

    @Test("RFC 6376 3.5: l= lets bytes follow, which is said, and never fewer")
    func length() async throws {
        var options = DKIMSigner.Options()
        options.signsLength = true
        options.bodyForm = .simple
        let bytes = try signed(message.replacing("\r\n\r\n\r\n", with: "\r\n"), nil, options)
        #expect(try await result(bytes).findings.isEmpty)
        let more = try await result(bytes + Array("more\r\n".utf8))
        #expect(more.verdict == .pass)
        #expect(more.findings == [.unsignedBody])
        let fewer = try await result(Array(bytes.dropLast(12)))
        #expect(fewer.verdict == .fail)
        #expect(fewer.bodyHashAgrees == false)
        #expect(fewer.signatureAgrees == true)
    }

    @Test("RFC 6376 3.5: x= and t= by the clock, to the second")
    func clock() async throws {
        var options = DKIMSigner.Options()
        options.lifetime = 100
        let bytes = try signed(message, nil, options)
        #expect(try await result(bytes, time: 1_100).verdict == .pass)
        let late = try await result(bytes, time: 1_101)
        #expect(late.verdict == .fail)
        #expect(late.isExpired)
        #expect(late.signatureAgrees == true)
        #expect(try await result(bytes, time: 999).verdict == .fail)
    }

    @Test(
        "RFC 6376 3.5, 6.1.1: signatures that are permanent errors",
        arguments: [
            ("v=1; ", ""), ("v=1;", "v=2;"), ("a=ed25519-sha256", "a=rsa-sha1"), ("a=ed25519-sha256", "a=foo"),
            ("t=1000;", "t=x;"),
            ("t=1000;", "t=1000; x=1000;"), ("t=1000;", "t=1000; x=-1;"), ("t=1000;", "t=1000; l=-1;"),
            ("t=1000;", "t=1000;;"),
            ("t=1000;", "t=1000; t=1000;"), ("t=1000;", "t=1000; i=joe;"), ("t=1000;", "t=1000; i=joe@example.com;"),
            ("t=1000;", "t=1000; i=joe@notexample.org;"), ("t=1000;", "t=1000; q=http;"), ("t=1000;", "t=1000; 1x=2;"),
            ("d=example.org;", ""), ("s=ed;", ""), ("d=example.org", "d=exa mple.org"), ("from:from:", "sender:"),
            ("c=relaxed/relaxed", "c=foo"), ("bh=", "bh=*"), ("\tb=", "\tb=*"), ("s=ed;", "s=ed;;"),
        ])
    func permanentErrors(_ from: String, _ to: String) async throws {
        let text = String(decoding: try signed(), as: UTF8.self)
        #expect(text.contains(from))
        let result = try await result(Array(text.replacing(from, with: to, maxReplacements: 1).utf8))
        #expect(result.verdict == .permerror, "\(result.reason ?? "")")
        #expect(result.reason != nil)
    }

    @Test(
        "RFC 6376 3.5: what is fine",
        arguments: ["q=http/x:dns/txt", "foo=bar", "i=joe@sub.example.org", "z=From:x|To:y"])
    func fine(_ tag: String) async throws {
        // The signature does not fit any more, but it is judged.
        let text = String(decoding: try signed(), as: UTF8.self).replacing("t=1000;", with: "t=1000; \(tag);")
        #expect(try await result(Array(text.utf8)).verdict == .fail)
    }

    struct KeyCase: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let record: String
        let verdict: DKIMResult.Verdict
    }

    static let keyCases = [
        KeyCase(testDescription: "plain", record: "v=DKIM1; k=ed25519; p=KEY", verdict: .pass),
        KeyCase(testDescription: "no version", record: "k=ed25519; p=KEY", verdict: .pass),
        KeyCase(testDescription: "version not first", record: "k=ed25519; v=DKIM1; p=KEY", verdict: .permerror),
        KeyCase(testDescription: "another kind", record: "v=DKIM1; p=KEY", verdict: .permerror),
        KeyCase(testDescription: "revoked", record: "v=DKIM1; k=ed25519; p=", verdict: .permerror),
        KeyCase(testDescription: "another hash", record: "v=DKIM1; k=ed25519; h=sha1; p=KEY", verdict: .permerror),
        KeyCase(
            testDescription: "a list of hashes", record: "v=DKIM1; k=ed25519; h= sha1 : sha256 ; p=KEY", verdict: .pass),
        KeyCase(testDescription: "another service", record: "v=DKIM1; k=ed25519; s=tlsrpt; p=KEY", verdict: .permerror),
        KeyCase(testDescription: "strict", record: "v=DKIM1; k=ed25519; t=s; p=KEY", verdict: .pass),
        KeyCase(testDescription: "obsolete g=", record: "v=DKIM1; g=nobody; k=ed25519; p=KEY", verdict: .pass),
        KeyCase(testDescription: "duplicate tags", record: "v=DKIM1; k=ed25519; p=KEY; p=KEY", verdict: .permerror),
        KeyCase(testDescription: "garbage", record: "garbage", verdict: .permerror),
    ]

    @Test("RFC 6376 3.6.1: key records", arguments: keyCases)
    func keys(_ test: KeyCase) async throws {
        let record = test.record.replacing("KEY", with: try publicText(ed25519))
        let result = try await result(try signed(), txt("ed._domainkey.example.org", record))
        #expect(result.verdict == test.verdict, "\(result.reason ?? "")")
    }

    @Test("RFC 6376 3.6.1: t=s refuses i= of a subdomain, t=y is told")
    func flags() async throws {
        var options = DKIMSigner.Options()
        options.identity = "joe@sub.example.org"
        let bytes = try signed(message, nil, options)
        let key = try publicText(ed25519)
        #expect(try await result(bytes).verdict == .pass)
        let strict = try await result(bytes, txt("ed._domainkey.example.org", "k=ed25519; t=y:s; p=\(key)"))
        #expect(strict.verdict == .permerror)
        #expect(strict.isTesting)
    }

    @Test("RFC 6376 3.6.2.2: of several records those that are no keys are dropped, and three are tried")
    func severalRecords() async throws {
        let name = "ed._domainkey.example.org"
        let key = "v=DKIM1; k=ed25519; p=\(try publicText(ed25519))"
        let bytes = try signed()
        let two = try await result(bytes, txt(name, "v=spf1 -all") + txt(name, key))
        #expect(two.verdict == .pass)
        #expect(two.findings.isEmpty)
        let three = try await result(bytes, txt(name, "v=DKIM1; p=") + txt(name, "v=DKIM1; p=x") + txt(name, key))
        #expect(three.verdict == .pass)
        #expect(three.findings == [.severalKeys])
        let none = try await result(bytes, txt(name, "hello") + txt(name, "v=spf1 -all"))
        #expect(none.verdict == .permerror)
    }

    @Test("RFC 6376 6.1.2: a failure of the DNS is temperror, a missing key permerror")
    func missingKeys() async throws {
        let bytes = try signed()
        #expect(try await result(bytes, "ed._domainkey.example.org. SERVFAIL").verdict == .temperror)
        #expect(try await result(bytes, "x. A 192.0.2.1").verdict == .permerror)
        #expect(try await result(bytes, "ed._domainkey.example.org. A 192.0.2.1").verdict == .permerror)
    }

    @Test("RFC 8301 3.2: RSA keys under 1024 bits never pass, under 2048 with a finding; a bare RSAPublicKey is read")
    func keySizes() async throws {
        let weak = try testKey("rsa1024")
        let bytes = try signed(message, weak)
        let result = try await result(bytes, txt("rsa._domainkey.example.org", "p=\(try publicText(weak))"))
        #expect(result.verdict == .pass)
        #expect(result.findings == [.weakKey])
        // Behind the 24 bytes of SubjectPublicKeyInfo's own header stands the RSAPublicKey of a key of 2048 bits.
        let bare = Base64.encode(Array(try rsa.publicKeyDER().dropFirst(24)))
        #expect(
            try await self.result(signed(message, rsa), txt("rsa._domainkey.example.org", "p=\(bare)")).verdict == .pass
        )
        #expect(throws: SigningError.self) {
            try DKIMSigner(domain: "example.org", selector: "s", key: try testKey("rsa768"))
        }
    }

    @Test(
        "RFC 6376 5.4.2: names from the bottom up, repeats in another case are one name, the signature is no instance")
    func instances() async throws {
        let text = "Received: a\r\nReceived: b\r\nDKIM-Signature: v=1; x\r\nFrom: a@example.org\r\n\r\nx\r\n"
        var options = DKIMSigner.Options()
        options.names = ["from", "Received", "RECEIVED", "received", "DKIM-Signature", "dkim-signature"]
        let bytes = try signed(text, nil, options)
        #expect(try await result(bytes).verdict == .pass)
        #expect(try await result(Array("Received: c\r\n".utf8) + bytes).verdict == .fail)
    }

    @Test("a hundred signatures: twenty are verified, the author's own first")
    func manySignatures() async throws {
        let own = String(decoding: try signed(), as: UTF8.self)
        let field = own.replacing(message, with: "")
        let foreign = field.replacing("d=example.org", with: "d=example.com")
        let text = String(repeating: foreign, count: 99) + own
        let report = try await verify(Array(text.utf8), zone)
        #expect(report.dkim.count == 100)
        #expect(report.dkim.last?.verdict == .pass)
        #expect(report.dkim.count { $0.verdict == .neutral } == 80)
    }

    @Test("RFC 6376 5: what is not signed")
    func refusals() throws {
        #expect(throws: SigningError.self) { try signed("To: a@example.org\r\n\r\n") }
        #expect(throws: SigningError.self) { try signed("From: a@example.org\r\nFROM : b@example.org\r\n\r\n") }
        var options = DKIMSigner.Options()
        options.names = ["to", "subject"]
        #expect(throws: SigningError.self) { try signed(message, nil, options) }
        options = DKIMSigner.Options()
        options.identity = "a@example.com"
        #expect(throws: SigningError.self) { try signed(message, nil, options) }
    }

    @Test(
        "RFC 6376 8.15: present fields are signed once more than they stand there, Message-ID once, absent ones not at all"
    )
    func oversigning() throws {
        let text = "From: a@example.org\r\nTo: b\r\nTo: c\r\nMessage-ID: <x@y>\r\nMIME-Version: 1.0\r\n\r\n"
        let field = String(decoding: try signed(text), as: UTF8.self).replacing("\r\n\t ", with: "")
        #expect(field.contains("h=from:from:to:to:to:mime-version:mime-version:message-id;"))
    }

    @Test("any message gives a verdict, as a stream of any bytes does")
    func hostile() async throws {
        var generator = SeededGenerator(seed: 6)
        let seed = try signed()
        let verifier = SenderVerifier(try resolver(zone), .patient)
        for _ in 0..<1_500 {
            let bytes = generator.mutated(seed)
            let report = try await verifier.verify(bytes, client: nil)
            #expect(report.dkim.count <= 30)
        }
    }
}
