import Foundation
import Glibc
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

    /// The messages of a Maildir, in order.
    private func messages(_ name: String) throws -> [String] {
        let names = ["new", "cur"].flatMap { part in folder.names("\(name)/\(part)").map { (part, $0) } }
        return try names.sorted { $0.1 < $1.1 }.map {
            String(decoding: try folder.read("\(name)/\($0.0)/\($0.1)"), as: UTF8.self)
        }
    }

    @Test("what mblaze delivers and exports is read byte for byte")
    func mblazeExact() throws {
        guard has("mexport"), has("mdeliver"), has("mlist") else { return }
        let texts = ["A: 1\n\nbody\nFrom here on\n", "A: 2\n\n>From\n>From x\n", "A: 3\n\nx\n"]
        for (index, text) in texts.enumerated() { try folder.write("box/new/\(1_000_000_000 + index).M1.x", text) }
        try folder.write("box/cur/.keep", "")
        _ = try peer("mlist box | mexport >theirs.mbox")
        try convert("theirs.mbox", "read/")
        // mlist tells the messages in the order of the directory.
        #expect(Set(try messages("read")) == Set(texts))
        // mdeliver keeps the blank line that belongs to the mbox; what it has written is the message then.
        _ = try peer("mkdir -p m/cur m/new m/tmp && mdeliver -M m <theirs.mbox")
        try convert("--verify", "m", "back.mbox")
        try convert("back.mbox", "again/")
        #expect(try messages("again") == messages("m") && messages("m").count == 3)
    }

    @Test("what Python's mailbox wrote is read byte for byte, with its flags")
    func pythonExact() throws {
        guard has("python3") else { return }
        try folder.write(
            "make.py",
            """
            import mailbox
            text = b'Subject: p\\n\\nbody\\nFrom here\\n\\n'
            box = mailbox.mbox('theirs.mbox'); m = mailbox.mboxMessage(text)
            m.set_from('p@q.r Sat Aug 21 10:27:43 2004'); m.set_flags('RAF'); box.add(m); box.add(text); box.flush()
            dir = mailbox.Maildir('theirs'); m = mailbox.MaildirMessage(text)
            m.set_subdir('cur'); m.set_flags('FS'); m.set_date(1093084063); dir.add(m)
            """)
        #expect(try peer("python3 make.py").status == 0)
        let text = "Subject: p\n\nbody\nFrom here\n\n"
        try convert("theirs.mbox", "read/")
        #expect(try messages("read") == [text, text])
        #expect(folder.names("read/cur").first.map { $0.hasPrefix("1093084063.") && $0.hasSuffix(":2,FRS") } ?? false)
        try convert("theirs", "out.mbox")
        let mailbox = String(decoding: try folder.read("out.mbox"), as: UTF8.self)
        #expect(mailbox.hasPrefix("From MAILER-DAEMON Sat Aug 21 10:27:43 2004\nSubject: p\nStatus: RO\nX-Status: F\n"))
        #expect(mailbox.hasSuffix("\n\nbody\n>From here\n\n\n"))
    }

    // MARK: Dovecot

    @Test("Dovecot reads flags, keywords, dates and every byte of our mbox")
    func dovecotReadsMbox() throws {
        try folder.write("m/cur/1093084063.M1.x:2,FRSa", "Subject: one\n\nbody\n\n")
        try folder.write("m/cur/1093170463.M1.x:2,", "Subject: two\n\n.\n")
        try folder.write("m/new/.keep", "")
        try folder.write("m/dovecot-keywords", "0 work\n")
        try folder.write("mail/.keep", "")
        try convert("m", "mail/inbox")
        let location = "mbox:\(folder.file("mail")):INBOX=\(folder.file("mail/inbox"))"
        guard let text = try doveadm(location, "fetch 'flags date.received text' all") else { return }
        #expect(text.contains("\\Answered \\Flagged \\Seen"))
        #expect(text.contains("text:\nSubject: one\n\nbody\n\n") && text.contains("text:\nSubject: two\n\n.\n"))
        #expect(text.components(separatedBy: "date.received: 2004-08-2").count == 3)
    }

    /// Runs doveadm on a mail location within the folder; nil when it is not installed, or refuses to run.
    private func doveadm(_ location: String, _ arguments: String) throws -> String? {
        guard has("doveadm") else { return nil }
        let isRoot = getuid() == 0
        if isRoot, !has("setpriv") { return nil }
        let id = isRoot ? 65_534 : Int(getuid())
        let group = isRoot ? 65_534 : Int(getgid())
        try folder.write(
            "dovecot.conf",
            """
            log_path = \(folder.file("log"))
            base_dir = \(folder.file("base"))
            state_dir = \(folder.file("base"))
            mail_location = \(location)
            mbox_write_locks = fcntl
            mail_privileged_group =
            first_valid_uid = 1
            first_valid_gid = 1
            mail_uid = \(id)
            mail_gid = \(group)
            ssl = no

            """)
        let become =
            isRoot ? "chown -R \(id):\(group) . && setpriv --reuid=\(id) --regid=\(group) --clear-groups" : "exec"
        let result = try peer("\(become) env HOME='\(folder.path)' USER=nobody doveadm -c dovecot.conf \(arguments)")
        guard result.status == 0 else {
            print("doveadm does not run here: \(result.diagnostics)")
            return nil
        }
        return result.text
    }

    @Test("Dovecot reads flags, keywords, dates and every byte of our Maildir")
    func dovecotReads() throws {
        try folder.write(
            "one.mbox",
            """
            From a@b.example Sat Aug 21 10:27:43 2004
            Subject: one
            Status: RO
            X-Status: AF
            X-Keywords: $Forwarded work

            body
            >From quoted

            From a@b.example Sun Aug 22 10:27:43 2004
            Subject: two

            body


            """)
        try convert("one.mbox", "box/")
        guard
            let text = try doveadm(
                "maildir:\(folder.file("box"))", "fetch 'flags date.received size.physical text' all")
        else { return }
        #expect(text.contains("\\Answered \\Flagged \\Seen") && text.contains("$Forwarded work"))
        #expect(text.contains("text:\nSubject: one\n\nbody\nFrom quoted\n"))
        #expect(text.components(separatedBy: "date.received: 2004-08-2").count == 3)
    }

    @Test("what Dovecot wrote into an mbox is read with its flags and keywords, and without its own fields")
    func dovecotWrites() throws {
        for (name, flags) in [("1.a.b", ":2,FRSa"), ("2.a.b", ":2,")] {
            try folder.write("from/cur/\(name)\(flags)", "Subject: \(name)\n\nbody\nFrom here\n")
        }
        try folder.write("from/new/.keep", "")
        try folder.write("from/tmp/.keep", "")
        try folder.write("from/dovecot-keywords", "0 work\n")
        try folder.write("mail/inbox", "")
        let location = "mbox:\(folder.file("mail")):INBOX=\(folder.file("mail/inbox"))"
        guard try doveadm(location, "import -s maildir:\(folder.file("from")) '' all") != nil else { return }
        try convert("mail/inbox", "box/")
        let names = folder.names("box/cur") + folder.names("box/new")
        #expect(names.count == 2 && names[0].hasSuffix(":2,FRSa"))
        #expect(String(decoding: try folder.read("box/dovecot-keywords"), as: UTF8.self) == "0 work\n")
        for (index, name) in folder.names("box/cur").enumerated() {
            #expect(
                String(decoding: try folder.read("box/cur/\(name)"), as: UTF8.self)
                    == "Subject: \(index + 1).a.b\n\nbody\nFrom here\n")
        }
    }

    // MARK: procmail, Python

    @Test("procmail delivers into our mbox and our Maildir, and we read what it wrote")
    func procmail() throws {
        guard has("procmail") else { return }
        try convert("in.mbox", "out.mbox")
        try convert("in.mbox", "box/")
        for destination in ["out.mbox", "box/"] {
            let delivered = try peer(
                "printf 'From: x@y\\nSubject: late\\n\\nbody\\n\\nFrom here\\n' | procmail -f x@y DEFAULT='\(folder.path)/\(destination)' /dev/null"
            )
            #expect(delivered.status == 0, "\(delivered.diagnostics)")
            let count = try ToolProcess.run("mboxconv", ["--count", "--json", destination], directory: folder.path)
            #expect(count.text.contains("\"messages\":51"), "\(count.text)")
        }
        try convert("--append", "in.mbox", "out.mbox")
        let count = try ToolProcess.run("mboxconv", ["--count", "--json", "out.mbox"], directory: folder.path)
        #expect(count.text.contains("\"messages\":101"))
    }

    @Test("Python's mailbox and we read each other's MH folders, with flags")
    func pythonMH() throws {
        guard has("python3") else { return }
        try convert("--to", "mh", "in.mbox", "mh")
        try folder.write(
            "look.py",
            """
            import mailbox
            a = mailbox.mbox('in.mbox', create=False); b = mailbox.MH('mh', create=False)
            print(len(b), all(set(b[i + 1].get_sequences()) == {{'F': 'flagged', 'A': 'replied'}[f]
                for f in a[i].get_flags() if f in 'FA'} | (set() if 'R' in a[i].get_flags() else {'unseen'})
                for i in range(50)))
            c = mailbox.MH('theirs')
            for m in a: c.add(mailbox.MHMessage(m))
            """)
        #expect(try peer("python3 look.py").lines == ["50 True"])
        try convert("mh", "ours/")
        try convert("theirs", "python/")
        func flags(_ name: String) -> [String] {
            folder.names("\(name)/cur").compactMap { $0.components(separatedBy: ":2,").last }.sorted()
        }
        #expect(flags("python") == flags("ours") && !flags("ours").isEmpty)
    }
}
