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
}
