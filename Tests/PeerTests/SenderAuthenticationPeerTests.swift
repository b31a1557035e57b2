import Foundation
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

    // MARK: RSA keys, OpenDKIM, ARC

    /// A new RSA key as a file, and the zone that publishes it for the selector `s1` of example.org.
    private func rsaKey() throws -> (file: String, text: String, zone: String)? {
        guard let openssl = ToolProcess.peer("openssl") else { return nil }
        let pem = try ToolProcess.run(openssl, ["genrsa", "-traditional", "2048"]).text
        let file = try folder.write("rsa.pem", pem)
        let derived = try ToolProcess.run(openssl, ["pkey", "-in", file, "-pubout"]).text
        let text = derived.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        let strings = [text.prefix(200), text.dropFirst(200)].map { "\"\($0)\"" }.joined(separator: " ")
        let zone = try folder.write("rsa.zone", "s1._domainkey.example.org. TXT \"v=DKIM1; p=\" \(strings)\n")
        return (file, text, zone)
    }

    /// The message out of batch SMTP.
    private static func message(in batch: ToolProcess.Result) -> [UInt8] {
        let lines = batch.text.components(separatedBy: "\r\n")
        guard let start = lines.firstIndex(of: "DATA"), let end = lines.lastIndex(of: ".") else { return [] }
        return Array(
            lines[(start + 1)..<end].map { ($0.hasPrefix(".") ? String($0.dropFirst()) : $0) + "\r\n" }.joined().utf8)
    }

    @Test("OpenDKIM passes what smtp-send signs, and refuses it when it was changed", arguments: forms)
    func openDKIM(_ forms: String) throws {
        guard let opendkim = ToolProcess.peer("opendkim"), let key = try rsaKey() else {
            print("left out: opendkim or openssl is not installed")
            return
        }
        let keys = try folder.write("keys", "s1._domainkey.example.org v=DKIM1; p=\(key.text)\n")
        let configuration = try folder.write("opendkim.conf", "Mode v\nTestPublicKeys \(keys)\n")
        // Its test mode eats the white space after a colon, which simple forms do not bear (libmilter's way).
        let plain = Self.message.replacing("Subject:  Is  dinner\r\n\tready?", with: "Subject: Is  dinner")
            .replacing(",\r\n\tothers@example.net", with: "")
        let file = try folder.write("m.eml", plain)
        let batch = try ToolProcess.run(
            "smtp-send",
            [
                "--dry-run", "--dkim", "example.org:s1:\(key.file)", "--dkim-options", "c=\(forms)", "--from",
                "joe@example.org", "--to", "suzie@example.net", file,
            ])
        let signed = Self.message(in: batch)
        for (bytes, wanted) in [(signed, true), (signed + Array("x\r\n".utf8), false)] {
            let stored = try folder.write("signed.eml", bytes)
            let result = try ToolProcess.run(opendkim, ["-x", configuration, "-t", stored])
            let said = result.text + result.diagnostics
            #expect(said.contains("2048-bit key") && said.contains("succeeded") == wanted, "\(said)")
        }
    }

    @Test("what opendkim-testmsg signs is rsa-sha1, which is told and refused (RFC 8301)")
    func openDKIMSigns() throws {
        guard let signer = ToolProcess.peer("opendkim-testmsg"), let key = try rsaKey() else {
            print("left out: opendkim-testmsg or openssl is not installed")
            return
        }
        let signed = try ToolProcess.run(
            signer, ["-C", "-d", "example.org", "-k", key.file, "-s", "s1"], input: Array(Self.message.utf8))
        #expect(signed.status == 0 && signed.text.contains("DKIM-Signature:"), "\(signed.diagnostics)")
        let file = try folder.write("signed.eml", signed.bytes)
        let result = try ToolProcess.run("mailparse", ["--verify", "--dns", key.zone, "--json", file])
        #expect(result.status == 1 && result.text.contains("\"dkim\":[{\"result\":\"permerror\""), "\(result.text)")
        #expect(result.text.contains("\"canonicalization\":\"relaxed/simple\"") && result.text.contains("rsa-sha1"))
    }

    @Test("ARC: dkimpy validates what smtp-send seals, mailparse what dkimpy seals, one set upon the other")
    func arc() throws {
        guard let python = try python(with: "dkim, authres"), let key = try rsaKey() else {
            print("left out: python3 has no dkimpy with authres, or openssl is not installed")
            return
        }
        let results = "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=joe@example.org\r\n"
        var message = Array((results + Self.message).utf8)
        let verify = """
            import dkim, sys
            print(dkim.arc_verify(sys.stdin.buffer.read(), dnsfunc=lambda name, timeout=5: b"v=DKIM1; p=\(key.text)")[0].decode())
            """
        let seal = """
            import dkim, sys
            text = sys.stdin.buffer.read()
            key = open("\(key.file)", "rb").read()
            fields = dkim.arc_sign(text, b"s1", b"example.org", key, b"mx.example.org")
            sys.stdout.buffer.write(b"".join(fields) + text)
            """
        for round in 1...3 {
            if round.isMultiple(of: 2) {
                // dkimpy takes what is known of the chain from the results.
                message = Array("Authentication-Results: mx.example.org; arc=pass\r\n".utf8) + message
                let sealed = try ToolProcess.run(python, ["-c", seal], input: message)
                #expect(sealed.status == 0, "\(sealed.diagnostics)")
                message = sealed.bytes
            } else {
                let file = try folder.write("m.eml", message)
                let batch = try ToolProcess.run(
                    "smtp-send",
                    [
                        "--dry-run", "--arc-seal", "example.org:s1:\(key.file)", "--authserv-id", "mx.example.org",
                        "--dns", key.zone, "--from", "joe@example.org", "--to", "suzie@example.net", file,
                    ])
                #expect(batch.status == 0, "\(batch.diagnostics)")
                message = Self.message(in: batch)
            }
            let theirs = try ToolProcess.run(python, ["-c", verify], input: message)
            #expect(theirs.text == "pass\n", "round \(round): \(theirs.text) \(theirs.diagnostics)")
            let file = try folder.write("sealed.eml", message)
            let ours = try ToolProcess.run("mailparse", ["--verify", "--dns", key.zone, "--json", file])
            #expect(
                ours.text.contains("\"arc\":{\"result\":\"pass\",\"instances\":\(round)"),
                "round \(round): \(ours.text)")
        }
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
