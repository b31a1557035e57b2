import TestSupport
import Testing

/// Python with a module, or why there is none.
private func python(with module: String) throws -> String? {
    guard let python = ToolProcess.peer("python3") else { return nil }
    return try ToolProcess.run(python, ["-c", "import \(module)"]).status == 0 ? python : nil
}

@Suite struct SenderAuthenticationPeerTests {
    private let folder: TestDirectory
    private let zone: String
    private let key: String

    private static let message = """
        From: Joe <joe@example.org>\r
        To: Suzie <suzie@example.net>,\r
        \tothers@example.net\r
        Subject:  Is  dinner\r
        \tready?\r
        Date: Fri, 11 Jul 2025 21:00:37 -0700\r
        \r
        Hi. \r
        \r
         We  lost\tthe game.\r
        .\r
        \r
        \r

        """

    /// The key of the tests of smtp-send, and its public half.
    private static let pem = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIDttU7u3MZroTfs6+zq+EiB5ZORfbI7nVm9QtzE/tVVx
        -----END PRIVATE KEY-----

        """
    private static let publicKey = "WdtmEDqvZNJ2ECwidwzR9j9I6V5HHPKypXzbC+pK0OA="
    /// Its 32 bytes in base64, as dkimpy has private keys.
    private static let seed = "O21Tu7cxmuhN+zr7Or4SIHlk5F9sjudWb1C3MT+1VXE="

    init() throws {
        folder = try TestDirectory()
        zone = try folder.write("zone", "s1._domainkey.example.org. TXT \"v=DKIM1; k=ed25519; p=\(Self.publicKey)\"\n")
        key = try folder.write("key.pem", Self.pem)
    }

    static let forms = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]

    @Test("dkimpy passes what smtp-send signs", arguments: forms)
    func ours(_ forms: String) throws {
        guard let python = try python(with: "dkim, nacl") else {
            print("left out: python3 has no dkimpy with PyNaCl")
            return
        }
        let file = try folder.write("m.eml", Self.message)
        let batch = try ToolProcess.run(
            "smtp-send",
            [
                "--dry-run", "--dkim", "example.org:s1:\(key)", "--dkim-options", "c=\(forms)", "--from",
                "joe@example.org",
                "--to", "suzie@example.net", file,
            ])
        let script = """
            import dkim, sys
            batch = sys.stdin.buffer.read()
            text = batch.split(b"DATA\\r\\n", 1)[1].rsplit(b"\\r\\n.\\r\\n", 1)[0] + b"\\r\\n"
            text = b"\\r\\n".join(line[1:] if line.startswith(b".") else line for line in text.split(b"\\r\\n"))
            sys.exit(not dkim.verify(text, dnsfunc=lambda name, timeout=5: b"v=DKIM1; k=ed25519; p=\(Self.publicKey)"))
            """
        #expect(try ToolProcess.run(python, ["-c", script], input: batch.bytes).status == 0)
    }

    @Test("mailparse --verify passes what dkimpy signs", arguments: forms)
    func theirs(_ forms: String) throws {
        guard let python = try python(with: "dkim, nacl") else {
            print("left out: python3 has no dkimpy with PyNaCl")
            return
        }
        let script = """
            import dkim, sys
            text = sys.stdin.buffer.read()
            form = tuple(part.encode() for part in "\(forms)".split("/"))
            field = dkim.sign(text, b"s1", b"example.org", b"\(Self.seed)", canonicalize=form,
                signature_algorithm=b"ed25519-sha256")
            sys.stdout.buffer.write(field + text)
            """
        let signed = try ToolProcess.run(python, ["-c", script], input: Array(Self.message.utf8))
        #expect(signed.status == 0, "\(signed.diagnostics)")
        let file = try folder.write("signed.eml", signed.bytes)
        let result = try ToolProcess.run("mailparse", ["--verify", "--dns", zone, "--json", file])
        #expect(result.text.contains("\"dkim\":[{\"result\":\"pass\""), "\(result.text)")
    }

    @Test("SPF: the same verdicts as pyspf, of many policies")
    func spf() throws {
        guard let python = try python(with: "spf") else {
            print("left out: python3 has no pyspf")
            return
        }
        let records = [
            "v=spf1 mx a:d1.example/24 -all", "v=spf1 include:d0.example ?all", "v=spf1 exists:%{i}.d0.example ~all",
            "v=spf1 redirect=d0.example", "v=spf1 ptr -all", "v=spf1 ip4:192.0.2.0/29 ip6:2001:db8::/32", "v=spf1 foo",
            "v=spf1 a:%{d2}.example/33", "v=spf1 a:none.example mx:none.example exists:none.example -all",
        ]
        var lines: [String] = []
        var table: [String] = []
        for (number, record) in records.enumerated() {
            lines += ["d\(number).example. TXT \"\(record)\"", "d\(number).example. A 192.0.2.\(number + 1)"]
            table += [
                "('d\(number).example','TXT',(b'\(record)',))", "('d\(number).example','A','192.0.2.\(number + 1)')",
            ]
        }
        lines.append("d0.example. MX 10 d4.example.")
        table.append("('d0.example','MX',(10,'d4.example'))")
        let path = try folder.write("zone", lines.joined(separator: "\n"))
        var input = ""
        for number in records.indices {
            for client in ["192.0.2.5", "192.0.2.77", "198.51.100.1", "2001:db8::1"] {
                input += "\(client) a@d\(number).example h.example\n"
            }
        }
        let script = """
            import spf, sys
            table = [\(table.joined(separator: ","))]
            def look(name, kind, tcpfallback=True, timeout=30):
                for owner, type, data in table:
                    if owner == name.lower().rstrip(".") and type == kind: yield ((name, kind), data)
            spf.DNSLookup = look
            for line in sys.stdin:
                client, sender, helo = line.split()
                print(spf.query(client, sender, helo).check()[0])
            """
        let theirs = try ToolProcess.run(python, ["-c", script], input: Array(input.utf8))
        let ours = try ToolProcess.run("mx", ["--dns", path, "--spf-test", "-"], input: Array(input.utf8))
        #expect(theirs.lines.count == records.count * 4, "\(theirs.diagnostics)")
        for (line, verdict) in zip(ours.lines, theirs.lines) {
            #expect(line.contains("\"result\":\"\(verdict)\""), "\(line) is not \(verdict)")
        }
    }
}
