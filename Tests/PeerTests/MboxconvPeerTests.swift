import Foundation
import TestSupport
import Testing

/// mboxconv beside other programs that read and write mailboxes.
@Suite struct MboxconvPeerTests {
    private let folder: TestDirectory

    init() throws {
        folder = try TestDirectory()
        var mailbox = ""
        for index in 0..<50 {
            mailbox += "From u\(index)@example.org Sat Aug 21 10:27:\(10 + index % 50) 2004\n"
            mailbox += "From: u\(index)@example.org\nSubject: number \(index)\n"
            if index % 2 == 0 { mailbox += "Status: RO\n" }
            if index % 5 == 0 { mailbox += "X-Status: AF\n" }
            mailbox += "\ntext \(index)\n\n>From here on\n\n\n\n"
        }
        try folder.write("in.mbox", mailbox)
    }

    private func convert(_ arguments: String...) throws {
        let result = try ToolProcess.run("mboxconv", arguments, directory: folder.path)
        #expect(result.status == 0, "\(result.diagnostics)")
    }

    private func peer(_ script: String) throws -> ToolProcess.Result {
        try ToolProcess.run("/bin/sh", ["-c", script], directory: folder.path)
    }

    /// Skips with the name of a peer that is not installed.
    private func has(_ name: String) -> Bool {
        if ToolProcess.peer(name) != nil { return true }
        print("not installed: \(name)")
        return false
    }

    @Test("formail finds as many messages in every variant", arguments: ["mboxo", "mboxrd", "mboxcl"])
    func formail(_ format: String) throws {
        guard has("formail") else { return }
        try convert("in.mbox", "box/")
        try convert("--to", format, "box", "out.mbox")
        #expect(try peer("formail -s sh -c 'cat >/dev/null; echo x' <out.mbox").lines.count == 50)
    }

    @Test("Python's mailbox reads the same messages and flags from both")
    func python() throws {
        guard has("python3") else { return }
        try convert("--from", "mboxo", "in.mbox", "box/")
        try convert("--to", "mboxo", "box", "out.mbox")
        let script = """
            import mailbox
            a = mailbox.mbox('in.mbox', create=False); b = mailbox.mbox('out.mbox', create=False)
            c = mailbox.Maildir('box', create=False)
            own = (b'Status:', b'X-Status:')
            def strip(text): return b'\\n'.join(l for l in text.split(b'\\n') if not l.startswith(own))
            print(len(a), len(b), len(c))
            keys = sorted(c.keys())
            print(all(strip(a.get_bytes(i)) == strip(b.get_bytes(i)) == c.get_bytes(k) for i, k in enumerate(keys)))
            print(all(set(a[i].get_flags()) - {'O'} == set(b[i].get_flags()) - {'O'} for i in range(50)))
            print(all(set(c[k].get_flags()) == {{'R': 'S', 'A': 'R'}.get(f, f) for f in a[i].get_flags()} - {'O'}
                for i, k in enumerate(keys)))
            """
        try folder.write("look.py", script)
        let result = try peer("python3 look.py")
        #expect(result.lines == ["50 50 50", "True", "True", "True"], "\(result.diagnostics)")
    }

    @Test("mblaze writes an mbox of our Maildir, and a Maildir of our mbox")
    func mblaze() throws {
        guard has("mexport"), has("mdeliver"), has("mlist") else { return }
        try convert("in.mbox", "box/")
        #expect(try peer("mlist box | wc -l").text.contains("50"))
        _ = try peer("mlist box | mexport >theirs.mbox")
        let count = try ToolProcess.run("mboxconv", ["--count", "--json", "theirs.mbox"], directory: folder.path)
        #expect(count.text.contains(#""messages":50"#))
        try convert("box", "out.mbox")
        _ = try peer("mkdir -p m/cur m/new m/tmp && mdeliver -M m <out.mbox")
        #expect(folder.names("m/new").count + folder.names("m/cur").count == 50)
    }
}
