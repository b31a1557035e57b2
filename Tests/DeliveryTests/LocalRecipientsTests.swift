import Bytes
import Delivery
import SMTP
import TestSupport
import Testing
import Unix

@Suite("Who is local, and where the mail goes")
struct LocalRecipientsTests {
    private func targets(
        _ address: String, domains: [String] = [], users: String? = nil, aliases: String? = nil,
        store: LocalRecipients.Store = .maildirs("mail"), canForward: Bool = false
    ) throws -> [DeliveryTarget] {
        let recipients = LocalRecipients(
            store: store, domains: domains, users: try users.map { try UsersFile(Array($0.utf8)) },
            aliases: try aliases.map { try AliasesFile(Array($0.utf8)) }, canForward: canForward)
        let path = Path(mailbox: address) ?? Path(localPart: address, domain: "")
        return try recipients.deliveries(for: path).map(\.target)
    }

    @Test(
        "without users every local-part has its own place",
        arguments: [
            ("b@c.d", "mail/b"), ("B@C.D", "mail/b"), ("b+tag@c.d", "mail/b"), ("\"b c\"@c.d", "mail/b c"),
            ("Postmaster", "mail/postmaster"), ("a.b-c_d@c.d", "mail/a.b-c_d"), ("ü@c.d", "mail/ü"),
        ])
    func everybody(_ address: String, _ path: String) throws {
        #expect(try targets(address) == [.maildir(path)])
        #expect(try targets(address, store: .mboxes("mail")) == [.mbox(path)])
    }

    @Test(
        "names that would leave the folder are refused",
        arguments: ["\"../x\"@c.d", "\"a/b\"@c.d", "\".x\"@c.d", "+x@c.d"])
    func unusable(_ address: String) {
        #expect(throws: LocalRecipients.Refusal.unusable) { try targets(address) }
    }

    @Test("domains")
    func domains() throws {
        #expect(try targets("b@Example.NET", domains: ["example.net"]) == [.maildir("mail/b")])
        #expect(throws: LocalRecipients.Refusal.notLocal) { try targets("b@other.net", domains: ["example.net"]) }
        #expect(try targets("postmaster", domains: ["example.net"]) == [.maildir("mail/postmaster")])
        #expect(try targets("b@[IPv6:0:0::1]", domains: ["[IPv6:::1]"]) == [.maildir("mail/b")])
    }

    @Test("a domain in another script is the same in its ASCII form (RFC 6531 3.2)")
    func internationalDomains() throws {
        for domain in ["bücher.example", "xn--bcher-kva.example"] {
            for address in ["b@bücher.example", "b@BÜCHER.example", "b@XN--Bcher-KVA.example"] {
                #expect(try targets(address, domains: [domain], users: "b@\(domain) /b/\n") == [.maildir("/b")])
            }
        }
    }

    @Test("a quoted local-part with an @ in it is not the address that it looks like")
    func quotedAddresses() throws {
        let users = "bob@x.y /bob/\n"
        #expect(throws: LocalRecipients.Refusal.noSuchUser) { try targets("\"bob@x.y\"@q.q", users: users) }
        #expect(throws: LocalRecipients.Refusal.noSuchUser) { try targets("\"bob@x.y\"@x.y", users: users) }
        #expect(try targets("\"bob@x.y\"@q.q") == [.maildir("mail/bob@x.y")])
    }

    @Test("nobody's mbox is another's dot lock")
    func lockNames() throws {
        #expect(throws: LocalRecipients.Refusal.unusable) { try targets("b.lock@c.d", store: .mboxes("mail")) }
        #expect(try targets("b.lock@c.d") == [.maildir("mail/b.lock")])
        let long = String(repeating: "l", count: 251)
        #expect(throws: LocalRecipients.Refusal.unusable) { try targets("\(long)@c.d", store: .mboxes("mail")) }
        #expect(try targets("\(long)@c.d") == [.maildir("mail/\(long)")])
    }

    @Test("users: the most special name counts, tags are dropped last, others are unknown")
    func users() throws {
        let users = "b+tag /tag/\nb@x.y /xy/\nb /b\nc |prog a b\n@z.z /all/\n"
        #expect(try targets("b@x.y", users: users) == [.maildir("/xy")])
        #expect(try targets("b@q.q", users: users) == [.mbox("/b")])
        #expect(try targets("b+tag@x.y", users: users) == [.maildir("/tag")])
        #expect(try targets("b+other@x.y", users: users) == [.maildir("/xy")])
        #expect(try targets("c@q.q", users: users) == [.program("prog a b")])
        #expect(try targets("who@z.z", users: users) == [.maildir("/all")])
        #expect(throws: LocalRecipients.Refusal.noSuchUser) { try targets("who@q.q", users: users) }
        #expect(try targets("PostMaster@q.q", users: users) == [.maildir("mail/postmaster")])
    }

    @Test("aliases: everything once, circles are known, others are forwarded")
    func aliases() throws {
        let aliases = "all: a, b, c@far.example\nb: b, d\nx: y\ny: x\nself: \\self\nroot: /var/root\n*: rest\n"
        let forward = try #require(Path(mailbox: "c@far.example"))
        let domains = ["q.q"]
        #expect(
            try targets("all@q.q", domains: domains, users: "a\nb\nd\n", aliases: aliases, canForward: true)
                == [.maildir("mail/a"), .maildir("mail/b"), .maildir("mail/d"), .forward(forward)])
        #expect(throws: LocalRecipients.Refusal.cannotForward) {
            try targets("all@q.q", domains: domains, users: "a\nb\nd\n", aliases: aliases)
        }
        #expect(throws: LocalRecipients.Refusal.aliasLoop) { try targets("x@q.q", domains: domains, aliases: aliases) }
        #expect(try targets("self@q.q", domains: domains, aliases: aliases) == [.maildir("mail/self")])
        #expect(try targets("root@q.q", domains: domains, aliases: aliases) == [.mbox("/var/root")])
        #expect(try targets("a@q.q", domains: domains, users: "a\nrest\n", aliases: aliases) == [.maildir("mail/a")])
        #expect(try targets("u@q.q", domains: domains, users: "a\nrest\n", aliases: aliases) == [.maildir("mail/rest")])
    }

    @Test(
        "lines that cannot be read are named",
        arguments: [("a\n../x\n", 2), ("a filter='x\n", 1), ("\n\n/x\n", 3), (".hidden", 1)])
    func badUsers(_ text: String, _ line: Int) {
        #expect { try UsersFile(Array(text.utf8)) } throws: { ($0 as? DeliveryFileError)?.line == line }
    }

    @Test(
        "aliases that cannot be read are named",
        arguments: [
            ("a: b\nno colon\n", 2), ("a:\n", 1), ("a: b\na: c\n", 2), ("x: :include:/nonexistent\n", 1),
            ("a: b\nx: y,\n  z w\n", 2), ("x: y\n  z\n", 1),
        ])
    func badAliases(_ text: String, _ line: Int) {
        #expect { try AliasesFile(Array(text.utf8)) } throws: { ($0 as? DeliveryFileError)?.line == line }
    }

    @Test("mutated files never trap")
    func mutations() {
        var generator = SeededGenerator(seed: 8)
        let text = Array("a: b, \"|x y\", :include:/x\n  c\n\"q r\": \\z # x\nerin filter='a b' /x/\n".utf8)
        for _ in 0..<2_000 {
            let bytes = generator.mutated(text)
            _ = try? UsersFile(bytes)
            _ = try? AliasesFile(bytes) { path throws(SystemError) in
                throw SystemError(code: 2, operation: "open", subject: path)
            }
        }
    }

    @Test("an alias file that includes itself ends")
    func selfInclusion() {
        #expect(throws: DeliveryFileError.self) {
            try AliasesFile(Array("x: :include:self\n".utf8)) { _ throws(SystemError) in Array(":include:self\n".utf8) }
        }
    }
}
