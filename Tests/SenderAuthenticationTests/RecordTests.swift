import Bytes
import SenderAuthentication
import TestSupport
import Testing

@Suite struct RecordTests {
    @Test(
        "RFC 6376 3.2: tag-lists that are none",
        arguments: [
            "", ";", "a=1;;b=2", "a=1; a=2", "a", "1a=2", "=2", "a=1; b", " ; a=1", "a b=1",
        ])
    func badTagLists(_ text: String) {
        #expect(throws: TagListError.self) { try TagList(Array(text.utf8)) }
    }

    @Test("RFC 6376 3.2: white space around names and values, empty values, = in values")
    func tagLists() throws {
        let tags = try TagList(Array(" a = 1 ;\r\n\tb=x =y;c=; A=2 ; ".utf8))
        #expect(tags.text("a") == "1")
        #expect(tags.text("b") == "x =y")
        #expect(tags.text("c") == "")
        #expect(tags.text("A") == "2")
        #expect(tags.text("d") == nil)
    }

    private static let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    @Test(
        "RFC 6376 3.6.1: key records that cannot be used",
        arguments: [
            "k=rsa; v=DKIM1; p=\(key)", "v=DKIM2; p=\(key)", "v=DKIM1", "v=DKIM1; p=***", "k=foo; p=\(key)",
            "v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1; p=\(key); p=\(key)", "v=DKIM1;; p=\(key)", "p=QUI=QUI=",
        ])
    func badKeys(_ text: String) {
        #expect(throws: DKIMKeyRecordError.self) { try DKIMKeyRecord(parsing: Array(text.utf8)) }
    }

    @Test("RFC 6376 3.6.1: h=, s= and t= are lists with white space; g= is no more")
    func keyLists() throws {
        let text =
            "k=ed25519; h= sha1 : sha256; s=other : *; t= y : s ; g=*; n=hello; p=11qYAYKxCrfVS/7T yWQHOg7hcvPapiMlrwIaaPcHURo="
        let record = try DKIMKeyRecord(parsing: Array(text.utf8))
        #expect(record.hashes == ["sha1", "sha256"])
        #expect(record.servesMail)
        #expect(record.isTesting)
        #expect(record.isStrict)
        #expect(record.key.count == 32)
        #expect(try DKIMKeyRecord(parsing: Array("v=DKIM1; p=".utf8)).isRevoked)
    }

    @Test(
        "RFC 9989 4.7: v=DMARC1 is first, exact and a whole word",
        arguments: [
            ("v=DMARC1", true), ("v = DMARC1 ; p=none", true), ("v=DMARC1;p=none", true), ("v=dmarc1; p=none", false),
            ("v=DMARC10; p=none", false), ("p=none; v=DMARC1", false), ("V=DMARC1; p=none", false),
            ("v=DMARC1 p=none", false),
            ("", false),
        ])
    func dmarcVersion(_ text: String, _ wanted: Bool) {
        #expect(DMARCRecord.isRecord(Array(text.utf8)) == wanted)
        #expect((DMARCRecord(parsing: Array(text.utf8)) != nil) == wanted)
    }

    @Test(
        "RFC 9989 4.10.1: without a valid policy, rua makes it none; without rua there is no policy",
        arguments: [
            ("v=DMARC1; p=reject", DMARCPolicy.reject), ("v=DMARC1; p=REJECT; sp=none", .reject),
            ("v=DMARC1; p=x; rua=mailto:a@example.org", DMARCPolicy.none),
            ("v=DMARC1; rua=mailto:a@example.org", DMARCPolicy.none),
            ("v=DMARC1; p=x", nil), ("v=DMARC1; p=x; rua=nowhere", nil), ("v=DMARC1", nil),
            ("v=DMARC1; p=reject; sp=x", nil),
        ])
    func dmarcPolicy(_ text: String, _ wanted: DMARCPolicy?) throws {
        #expect(try #require(DMARCRecord(parsing: Array(text.utf8))).policy == wanted)
    }

    @Test("RFC 9989 4.7: tags, and what was removed")
    func dmarcTags() throws {
        let text =
            "v=DMARC1; p=quarantine; sp=none; np=reject; adkim=s; aspf=x; psd=y; t=y; pct=0; rf=afrf; foo=1; rua=mailto:a@example.org, https://x/"
        let record = try #require(DMARCRecord(parsing: Array(text.utf8)))
        #expect(record.subdomainPolicy == DMARCPolicy.none)
        #expect(record.nonexistentPolicy == .reject)
        #expect(record.hasStrictDKIM)
        #expect(!record.hasStrictSPF)
        #expect(record.publicSuffix == .yes)
        #expect(record.isTesting)
        #expect(record.percentage == 0)
        #expect(record.removedTags == ["pct", "rf"])
        #expect(record.unknownTags == ["foo"])
        #expect(record.aggregateReports == ["mailto:a@example.org", "https://x/"])
    }

    @Test("any bytes as a record give a verdict")
    func hostile() {
        var generator = SeededGenerator(seed: 8)
        let seeds = [
            "v=DKIM1; k=rsa; h=sha256; t=y:s; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ",
            "v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@example.org,mailto:b@example.org; pct=100",
        ].map { Array($0.utf8) }
        for round in 0..<2_000 {
            let text = generator.mutated(seeds[round % 2])
            _ = try? DKIMKeyRecord(parsing: text)
            _ = DKIMKeyRecord.isCandidate(text)
            #expect((DMARCRecord(parsing: text) != nil) == DMARCRecord.isRecord(text))
        }
    }
}
