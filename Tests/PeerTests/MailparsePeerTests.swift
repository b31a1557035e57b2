import Bytes
import Foundation
import TestSupport
import Testing

/// mailparse beside other readers of messages.
@Suite struct MailparsePeerTests {
    /// Skips with the name of a peer that is not installed.
    private func has(_ name: String) -> Bool {
        if ToolProcess.peer(name) != nil { return true }
        print("not installed: \(name)")
        return false
    }

    private static let script = """
        import email, hashlib, json, sys
        def leaves(m):
            p = m.get_payload()
            if isinstance(p, list):
                for c in p: yield from leaves(c)
            else: yield m
        for name in sys.argv[1:]:
            m = email.message_from_bytes(open(name, 'rb').read())
            for p in leaves(m):
                print(p.get_content_type(), hashlib.sha256(p.get_payload(decode=True) or b'').hexdigest())
            print('-')
        """

    /// Python takes delivery status apart, reads the malformed example otherwise, and keeps white space at the end of
    /// quoted-printable lines.
    private static let different: Set<String> = ["12-bounce.eml", "18-malformed.eml"]

    @Test("Python's email finds the same leaves with the same content in the example messages")
    func python() throws {
        guard has("python3") else { return }
        let folder = try TestDirectory()
        var names: [String] = []
        for (name, bytes) in try TestData.examples() where !Self.different.contains(name) {
            names.append(try folder.write(name, bytes))
        }
        let theirs = try ToolProcess.run(ToolProcess.peer("python3") ?? "", ["-c", Self.script] + names)
        let ours = try ToolProcess.run("mailparse", ["--json"] + names)
        var lines: [String] = []
        for line in ours.lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            func walk(_ part: [String: Any]) {
                let parts = part["parts"] as? [[String: Any]] ?? []
                if parts.isEmpty { lines.append("\(part["type"] ?? "") \(part["sha256"] ?? "")") }
                parts.forEach(walk)
            }
            walk(object?["body"] as? [String: Any] ?? [:])
            lines.append("-")
        }
        #expect(lines == theirs.lines && lines.count > 40)
    }

    /// GMime ends the header of the malformed example at the line without a colon.
    @Test("GMime finds the same tree, types and sizes in the example messages")
    func gmime() throws {
        guard has("cc"), has("pkg-config") else { return }
        let flags = try ToolProcess.run(ToolProcess.peer("pkg-config") ?? "", ["--cflags", "--libs", "gmime-3.0"])
        guard flags.status == 0 else {
            print("not installed: gmime-3.0 for development")
            return
        }
        let folder = try TestDirectory()
        let source =
            String(#filePath.dropLast("Tests/PeerTests/MailparsePeerTests.swift".count))
            + "Benchmarks/peers/mime-tree.c"
        let words = flags.text.split(whereSeparator: \.isWhitespace).map(String.init)
        let built = try ToolProcess.run(ToolProcess.peer("cc") ?? "", [source, "-o", folder.file("tree")] + words)
        #expect(built.status == 0)
        var names: [String] = []
        for (name, bytes) in try TestData.examples() where name != "18-malformed.eml" {
            names.append(try folder.write(name, bytes))
        }
        let theirs = try ToolProcess.run(
            folder.file("tree"), [], input: Array(names.map { $0 + "\n" }.joined().utf8))
        var lines: [String] = []
        for line in try ToolProcess.run("mailparse", ["--json", "--digest", "none"] + names).lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            lines.append("= \(object["file"] ?? "")")
            func walk(_ part: [String: Any]) {
                let size = (part["size"] as? Int).map { " \($0)" } ?? ""
                lines.append("\(part["path"] ?? "") \(part["type"] ?? "")\(size)")
                (part["parts"] as? [[String: Any]] ?? []).forEach(walk)
            }
            walk(object["body"] as? [String: Any] ?? [:])
        }
        #expect(lines == theirs.lines && lines.count > 60)
    }

    @Test("mblaze's mhdr gives the same subjects of the example messages")
    func mblaze() throws {
        guard has("mhdr") else { return }
        let folder = try TestDirectory()
        for (name, bytes) in try TestData.examples() where !Self.different.contains(name) {
            let path = try folder.write(name, bytes)
            let theirs = try ToolProcess.run(ToolProcess.peer("mhdr") ?? "", ["-d", "-h", "subject", path])
            let ours = try ToolProcess.run("mailparse", ["-h", "subject", path])
            #expect(ours.text == theirs.text, "\(name)")
        }
    }

    /// What Python reads of the header, the modern policy's answers as JSON.
    private static let fieldScript = """
        import email, email.policy, json, sys
        for name in sys.argv[1:]:
            m = email.message_from_bytes(open(name, 'rb').read(), policy=email.policy.default)
            addresses = lambda n: [[a.display_name or '-', a.addr_spec] for h in m.get_all(n, []) for a in h.addresses]
            d = m['date'].datetime
            z = d.utcoffset()
            print(json.dumps([str(m['subject']), addresses('from'), addresses('to'),
                '%d %s' % (d.timestamp() if z is not None else d.replace(tzinfo=__import__('datetime').timezone.utc).timestamp(),
                    '-' if z is None else int(z.total_seconds())),
                m.get_content_type(), sorted(dict(m['content-type'].params).items()), m.get_filename() or '-',
                len(m.get_payload(decode=True))], ensure_ascii=True))
        """

    /// Values that Python is known to read by the rules.
    private struct FieldGenerator {
        var random: SeededGenerator

        mutating func pick(_ values: [String]) -> String { values[Int(random.next() % UInt64(values.count))] }
        mutating func number(_ range: ClosedRange<Int>) -> Int {
            range.lowerBound + Int(random.next() % UInt64(range.count))
        }
        mutating func padded(_ range: ClosedRange<Int>) -> String {
            let number = number(range)
            return number < 10 ? "0\(number)" : "\(number)"
        }

        private static let texts = ["Café", "日本語", "Grüße", "naïve", "x", "€ 5", "a_b=c?d", "😀", "Žluťoučký kůň"]

        /// An encoded word in one of the charsets and encodings that can hold the text.
        mutating func encodedWord(_ text: String) -> String {
            let isLatin = text.unicodeScalars.allSatisfy { $0.value < 0x100 } && random.next() % 2 == 0
            let bytes = isLatin ? text.unicodeScalars.map { UInt8($0.value) } : Array(text.utf8)
            let charset = isLatin ? pick(["iso-8859-1", "ISO-8859-1"]) : pick(["utf-8", "UTF-8"])
            if random.next() % 2 == 0 { return "=?\(charset)?\(pick(["b", "B"]))?\(Base64.encode(bytes))?=" }
            let quoted = bytes.map { byte -> String in
                if byte == 0x20 { return "_" }
                let isPlain =
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                return isPlain ? String(UnicodeScalar(byte)) : "=" + Hexadecimal.encode([byte]).uppercased()
            }
            return "=?\(charset)?\(pick(["q", "Q"]))?\(quoted.joined())?="
        }

        mutating func subject() -> String {
            (0..<number(1...5)).map { _ in
                number(0...2) == 0 ? pick(["plain", "words: here,", "(x)", "50%"]) : encodedWord(pick(Self.texts))
            }.joined(separator: pick([" ", "\n "]))
        }

        mutating func address() -> String {
            let spec =
                pick(["a", "john.doe", "x+y", "o'brien", "a_b"]) + "@" + pick(["b.test", "example.org", "[192.0.2.1]"])
            switch number(0...5) {
            case 0: return spec
            case 1: return "<\(spec)>"
            case 2: return "\(pick(["John", "Mary Smith", "Who?", "Joe Q. Public"])) <\(spec)>"
            case 3: return "\"\(pick(["Doe, John", "a@b", "x <y>", "Group:", "say \\\"hi\\\""]))\" <\(spec)>"
            case 4: return "\(encodedWord(pick(Self.texts))) <\(spec)>"
            default: return "\(pick(["Ann", "Bob"])) (a comment) \n <\(spec)>"
            }
        }

        mutating func addresses() -> String {
            (0..<number(1...4)).map { _ in address() }.joined(separator: pick([", ", ",\n ", ","]))
        }

        mutating func date() -> String {
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            let year = pick(["1971", "1999", "2004", "2024", "2199", "97", "04"])
            let zone = pick(["+0000", "-0000", "+0200", "-0930", "+1400", "GMT", "EST", "PDT", "UT", "-0500 (EST)"])
            let seconds = random.next() % 3 == 0 ? "" : ":" + padded(0...59)
            return pick(["", "Mon, ", "Fri, "]) + "\(number(1...28)) \(pick(months)) \(year) "
                + "\(padded(0...23)):\(padded(0...59))\(seconds) \(zone)"
        }

        mutating func contentType() -> String {
            var value = pick(["text/plain", "application/pdf", "IMAGE/Png", "application/x-a.b+c"])
            for name in ["a", "b", "name"] where random.next() % 2 == 0 {
                let text = pick(Self.texts)
                let percent = text.utf8.map { "%" + Hexadecimal.encode([$0]) }
                switch number(0...4) {
                case 0: value += "; \(name)=token"
                case 1: value += ";\n \(name)=\"with; semicolon and \\\"quote\\\"\""
                case 2: value += "; \(name)*=utf-8''\(percent.joined())"
                case 3:
                    let middle = number(0...percent.count)
                    value +=
                        "; \(name)*0*=UTF-8'en'\(percent[..<middle].joined()); "
                        + "\(name)*1*=\(percent[middle...].joined()).x"
                default: value += "; \(name)*1=\"b c\"; \(name)*0=a"
                }
            }
            return value
        }

        mutating func message() -> String {
            let body = String(decoding: random.bytes(number(0...80), of: "abc \n"), as: UTF8.self)
            return "Subject: \(subject())\nFrom: \(address())\nTo: \(addresses())\nDate: \(date())\n"
                + "MIME-Version: 1.0\nContent-Type: \(contentType())\nContent-Transfer-Encoding: base64\n\n"
                + Base64.encode(Array(body.utf8)) + "\n"
        }
    }

    @Test("Python's email reads the same fields of generated messages")
    func pythonFields() throws {
        guard has("python3") else { return }
        let folder = try TestDirectory()
        var names: [String] = []
        for seed in 1...200 {
            var generator = FieldGenerator(random: SeededGenerator(seed: UInt64(seed)))
            names.append(try folder.write("\(seed)", Array(generator.message().utf8)))
        }
        let theirs = try ToolProcess.run(ToolProcess.peer("python3") ?? "", ["-c", Self.fieldScript] + names).lines
        let ours = try ToolProcess.run("mailparse", ["--json", "--digest", "none"] + names).lines
        try #require(theirs.count == names.count && ours.count == names.count)
        for (index, (our, their)) in zip(ours, theirs).enumerated() {
            let object = try JSONSerialization.jsonObject(with: Data(our.utf8)) as? [String: Any] ?? [:]
            let peer = try JSONSerialization.jsonObject(with: Data(their.utf8)) as? [Any] ?? []
            func addresses(_ key: String) -> [[String]] {
                (object[key] as? [[String: Any]] ?? []).map {
                    [$0["name"] as? String ?? "-", $0["address"] as? String ?? "-"]
                }
            }
            let body = object["body"] as? [String: Any] ?? [:]
            let date = object["date"] as? [String: Any] ?? [:]
            let parameters = (body["parameters"] as? [String: String] ?? [:]).sorted { $0.key < $1.key }
            let mine: [Any] = [
                object["subject"] ?? "", addresses("from"), addresses("to"),
                "\(date["epoch"] ?? "") \((date["offset"] as? Int).map(String.init) ?? "-")", body["type"] ?? "",
                parameters.map { [$0.key, $0.value] }, body["filename"] as? String ?? "-", body["size"] ?? 0,
            ]
            #expect(NSArray(array: mine) == NSArray(array: peer), "message \(index + 1)")
        }
    }
}
