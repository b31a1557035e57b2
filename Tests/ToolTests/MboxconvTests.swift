import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct MboxconvTests {
    private static let date = "Thu Jan  1 00:00:00 1970"
    private let folder: TestDirectory

    init() throws { folder = try TestDirectory() }

    private func run(_ arguments: String..., input: [UInt8] = [], limits: String? = nil) throws -> ToolProcess.Result {
        try ToolProcess.run("mboxconv", arguments, input: input, directory: folder.path, limits: limits)
    }

    /// Every message of a Maildir, in the order of their names, with the letters of their flags.
    private func maildir(_ name: String) throws -> [(flags: String, bytes: [UInt8])] {
        var messages: [(name: String, flags: String, bytes: [UInt8])] = []
        for part in ["new", "cur"] {
            for file in folder.names("\(name)/\(part)") {
                let flags = file.components(separatedBy: ":2,").dropFirst().first ?? ""
                messages.append((file, flags, try folder.read("\(name)/\(part)/\(file)")))
            }
        }
        return messages.sorted { $0.name < $1.name }.map { ($0.flags, $0.bytes) }
    }

    private static let mailbox = """
        From alice@example.org Sat Aug 21 10:27:43 2004
        Return-Path: <alice@example.org>
        Subject: one
        Status: RO
        X-Status: AF

        >From here
        >>From there

        From bob@example.org Sat Aug 21 10:27:42 2004
        Subject: two

        no line end
        """

    @Test("an mbox becomes a Maildir and comes back: bytes, order, flags, dates")
    func roundTrip() throws {
        try folder.write("in.mbox", Self.mailbox)
        let there = try run("in.mbox", "box/")
        #expect(there.status == 0)
        #expect(there.text.contains("in.mbox: mboxrd (1 line \">>From\", no Content-Length): 2 messages, "))
        let messages = try maildir("box")
        #expect(messages.map(\.flags) == ["FRS", ""])
        #expect(
            messages.map { String(decoding: $0.bytes, as: UTF8.self) } == [
                "Return-Path: <alice@example.org>\nSubject: one\n\nFrom here\n>From there\n",
                "Subject: two\n\nno line end",
            ])
        let back = try run("--verify", "box", "back.mbox")
        #expect(back.status == 0)
        #expect(back.text.contains(", verified"))
        let text = String(decoding: try folder.read("back.mbox"), as: UTF8.self)
        #expect(
            text == """
                From alice@example.org Sat Aug 21 10:27:43 2004
                Return-Path: <alice@example.org>
                Subject: one
                Status: RO
                X-Status: AF

                >From here
                >>From there

                From MAILER-DAEMON Sat Aug 21 10:27:42 2004\t
                Subject: two

                no line end


                """)
        #expect(try run("back.mbox", "again/").status == 0)
        #expect(try maildir("again").map(\.bytes) == messages.map(\.bytes))
    }

    @Test(
        "every format pair that is exact gives the bytes back", arguments: ["mboxrd", "mboxcl2", "maildir"],
        ["mboxrd", "mboxcl2"])
    func exact(_ first: String, _ second: String) throws {
        let bodies: [[UInt8]] = [
            Array("Subject: x\n\nFrom here\n>From there\n\n\n".utf8), Array("A: b\r\n\r\nFrom x\r\nlast".utf8), [],
            Array("A: b\n\n\u{0}\u{0}\n".utf8), Array("no header".utf8), [10], Array("A: b\n".utf8),
            Array("A: b\n\n".utf8) + [UInt8](repeating: 0x41, count: (1 << 20) + 5_000),
            Array("A: b\n\n".utf8) + [0xFF, 0x0D, 0x0A, 0x0D],
        ]
        for (index, body) in bodies.enumerated() { try folder.write("m/new/100000000\(index).x.y", body) }
        for part in ["cur", "tmp"] { try folder.write("m/\(part)/.keep", "") }
        #expect(try run("--to", first, "m", "first").status == 0)
        #expect(try run("--from", first, "--to", second, "first", "second").status == 0)
        let last = try run("--verify", "--from", second, "--to", "maildir", "second", "last")
        #expect(last.status == 0)
        #expect(try maildir("last").map(\.bytes) == bodies)
    }

    @Test("bad input has its exit code, and says what is wrong")
    func badInput() throws {
        try folder.write("text", "hello\n")
        try folder.write("empty", "")
        try folder.write("good", "From a@b \(Self.date)\nx\n\n")
        try folder.write("folder/file", "")
        let cases: [([String], Int32, String)] = [
            ([], 64, "no SOURCE"), (["good"], 64, "no DESTINATION"), (["--from", "x", "a", "b"], 64, "--from"),
            (["text", "out"], 65, "text: not an mbox: it begins with \"hello\\x0A\""),
            (["folder", "out"], 65, "folder: a directory, but no Maildir"),
            (["nothing", "out"], 66, "nothing: no such mailbox"),
            (["good", "good"], 64, "good: source and destination"),
            (["--append", "good", "./good"], 64, "the same"),
            (["empty", "good"], 73, "good: is not empty: use --append"),
            (["good", "folder"], 73, "folder: a directory that is not empty"),
            (["good", "no/such/out"], 73, "no/such/out"), (["--append", "good", "text"], 65, "text: not an mbox"),
            (["--verify", "good", "-"], 64, "--verify"), (["--to", "maildir", "good", "-"], 64, "standard output"),
        ]
        for (arguments, status, message) in cases {
            let result = try ToolProcess.run("mboxconv", arguments, directory: folder.path)
            #expect(result.status == status, "\(arguments)")
            #expect(result.diagnostics.contains(message), "\(arguments): \(result.diagnostics)")
        }
        #expect(folder.names() == ["empty", "folder", "good", "text"])
        #expect(try run("empty", "out").status == 0)
        #expect(try run("empty", "maildir").status == 0)
        #expect(try run("maildir", "out2").status == 0)
        #expect(try folder.read("out2").isEmpty)
    }

    @Test("--count and --list tell what is there")
    func looking() throws {
        try folder.write("in.mbox", Self.mailbox)
        let count = try run("--count", "--json", "in.mbox")
        #expect(
            count.text
                == #"{"source":"in.mbox","format":"mboxrd","reason":"1 line \">>From\", no Content-Length","#
                + #""certain":true,"messages":2,"bytes":118,"findings":[{"id":"missing-last-line-end","count":1,"first":215}]}"#
                + "\n"
        )
        let list = try run("--list", "--json", "in.mbox")
        #expect(list.lines.count == 2)
        #expect(list.lines[1].contains(#""index":1,"offset":144,"#))
        #expect(list.lines[0].contains(#""from":"alice@example.org","date":1093084063,"flags":"FRS","subject":"one""#))
        #expect(try run("--count", "--from", "mboxo", "in.mbox").text == "in.mbox: mboxo: 2 messages, 120 bytes\n")
        #expect(try run("--dry-run", "in.mbox", "out").status == 0)
        #expect(folder.names() == ["in.mbox"])
    }

    @Test("standard input and output carry mboxrd; the summary goes to standard error")
    func streams() throws {
        let result = try run("-", "-", input: Array(Self.mailbox.utf8))
        #expect(result.status == 0)
        #expect(result.text == Self.mailbox.replacingOccurrences(of: "10:27:42 2004", with: "10:27:42 2004\t") + "\n\n")
        #expect(result.diagnostics.contains("2 messages"))
        let counted = try run("--to", "mboxcl2", "-q", "-", "-", input: Array(Self.mailbox.utf8))
        #expect(counted.text.contains("2004\nContent-Length: 22\nReturn-Path: "))
        #expect(counted.text.contains("\n\nFrom here\n>From there\n"))
    }

    @Test("appending adds a blank line where one is missing, and sorts after what is there")
    func appending() throws {
        try folder.write("in.mbox", "From a@b \(Self.date)\nA: b\n\nx\n\n")
        try folder.write("out.mbox", "From c@d \(Self.date)\nA: c\n\ny")
        #expect(try run("--append", "--verify", "in.mbox", "out.mbox").status == 0)
        #expect(
            String(decoding: try folder.read("out.mbox"), as: UTF8.self)
                == "From c@d \(Self.date)\nA: c\n\ny\n\nFrom a@b \(Self.date)\nA: b\n\nx\n\n")
        #expect(try run("out.mbox", "box/").status == 0)
        #expect(try run("--append", "--verify", "in.mbox", "in.mbox", "box").status == 0)
        #expect(try maildir("box").map(\.bytes.count) == [8, 8, 8, 8])
        try folder.write("out.mbox.lock", "1")
        let locked = try run("--append", "--lock-timeout", "0", "in.mbox", "out.mbox")
        #expect(locked.status == 75)
        #expect(try run("--append", "--no-lock", "in.mbox", "out.mbox").status == 0)
    }

    @Test("a disk that is full leaves nothing half-written")
    func fullDisk() throws {
        let message = "From a@b \(Self.date)\nA: b\n\n" + String(repeating: "x\n", count: 100_000) + "\n"
        try folder.write("in.mbox", String(repeating: message, count: 20))
        try folder.write("old.mbox", "From a@b \(Self.date)\nA: b\n\nx\n\n")
        // 512-byte blocks: 1 MB.
        let file = try run("in.mbox", "out.mbox", limits: "-f 2000")
        #expect(file.status == 74)
        #expect(file.diagnostics.contains("out.mbox: cannot write: "))
        let appended = try run("--append", "in.mbox", "old.mbox", limits: "-f 2000")
        #expect(appended.status == 74)
        #expect(try folder.read("old.mbox").count == 43)
        let box = try run("in.mbox", "box/", limits: "-f 100")
        #expect(box.status == 74)
        #expect(folder.names("box/tmp").isEmpty && folder.names("box/new").isEmpty)
        #expect(folder.names() == ["box", "in.mbox", "old.mbox"])
    }

    @Test("folders and files whose names are not UTF-8 are read, and keep their names")
    func foreignNames() throws {
        let script = """
            cd '\(folder.path)' || exit 1
            name=$(printf 'A\\351')
            mkdir -p m/new m/cur m/tmp "m/.$name/new" "m/.$name/cur" "m/.$name/tmp"
            printf 'A: b\\n\\nx\\n' >"m/.$name/new/1.x"
            '\(ToolProcess.path(of: "mboxconv"))' -q --recursive m out && '\(ToolProcess.path(of: "mboxconv"))' -q "out/$name" "$name.mbox" &&
                '\(ToolProcess.path(of: "mailparse"))' --with-file -h a "$name.mbox" && ls -b out
            """
        let result = try ToolProcess.run("/bin/sh", ["-c", script])
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(result.text == "A\\xe9.mbox: b\nA\\351\nINBOX\n")
    }

    @Test("a journal that cannot be made leaves nothing behind")
    func noJournal() throws {
        try folder.write("in.mbox", "From a@b \(Self.date)\nA: b\n\nx\n\n")
        try folder.write("out.mbox.mboxconv-journal.new/x", "")
        #expect(try run("in.mbox", "out.mbox").status == 73)
        #expect(folder.names() == ["in.mbox", "out.mbox.mboxconv-journal.new"])
        // A link that leads to itself is no mailbox.
        symlink("loop", folder.file("loop"))
        #expect(try run("loop", "other.mbox").status == 66)
    }

    @Test("after kill -9 a Maildir holds only whole messages, and an mbox nothing", arguments: [true, false])
    func killed(_ isMaildir: Bool) throws {
        let message =
            "From a@b \(Self.date)\nA: b\n\n" + String(repeating: String(repeating: "x", count: 999) + "\n", count: 10)
            + "\n"
        try folder.write("in.mbox", String(repeating: message, count: 3_000))
        for delay in [30, 60, 120, 240] {
            let name = "out\(delay)" + (isMaildir ? "/" : "")
            let process = try ToolProcess("mboxconv", ["--no-sync", "-q", "in.mbox", name], directory: folder.path)
            usleep(useconds_t(delay * 1_000))
            process.signal(SIGKILL)
            _ = process.wait()
            if isMaildir {
                for (_, bytes) in try maildir("out\(delay)") { #expect(bytes.count == message.utf8.count - 36) }
            } else if folder.names().contains("out\(delay)") {
                #expect(try folder.read("out\(delay)").count == message.utf8.count * 3_000)
            }
        }
    }

    @Test("--crlf writes an mbox of CRLF lines, which is read as such")
    func crlf() throws {
        let lines = ["From a@b \(Self.date)", "A: b", "", "x", ">From y", "", "From a@b \(Self.date)", "", "z", "", ""]
        try folder.write("in.mbox", lines.joined(separator: "\n"))
        #expect(try run("--crlf", "--verify", "in.mbox", "out.mbox").status == 0)
        #expect(try folder.read("out.mbox") == Array(lines.joined(separator: "\r\n").utf8))
        #expect(try run("out.mbox", "box/").status == 0)
        let expected = ["A: b\r\n\r\nx\r\nFrom y\r\n", "\r\nz\r\n"]
        #expect(try maildir("box").map(\.bytes) == expected.map { Array($0.utf8) })
        #expect(try run("--crlf", "in.mbox", "other/").status == 64)
    }

    @Test("appending goes on in the variant that is there")
    func appendedVariant() throws {
        try folder.write("out.mbox", "From a@b \(Self.date)\nContent-Length: 7\n\nFrom x\n\n")
        try folder.write("in.mbox", "From a@b \(Self.date)\nA: b\n\nx\n>From y\n\n")
        #expect(try run("--append", "--verify", "in.mbox", "out.mbox").status == 0)
        let text = String(decoding: try folder.read("out.mbox"), as: UTF8.self)
        #expect(text.hasSuffix("From a@b \(Self.date)\nContent-Length: 9\nA: b\n\nx\nFrom y\n\n"))
    }

    @Test("a mail program's own first message is left out, and said")
    func internalData() throws {
        let data = "From MAILER-DAEMON \(Self.date)\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
        try folder.write("in.mbox", data + "X-IMAP: 1 2\n\ntext\n\nFrom a@b \(Self.date)\nA: b\n\nx\n\n")
        #expect(
            try run("--count", "--json", "in.mbox").text.contains(
                #""messages":1,"bytes":8,"findings":[{"id":"internal-data""#))
        let result = try run("--verify", "in.mbox", "box/")
        #expect(result.status == 0)
        #expect(result.diagnostics.contains("internal-data"))
        #expect(try maildir("box").map(\.bytes) == [Array("A: b\n\nx\n".utf8)])
    }

    @Test("a Maildir without tmp/ is read; flags that have no meaning here are kept from Maildir to Maildir")
    func foreignMaildir() throws {
        try folder.write("m/new/1000000000.a.b", "A: b\n\nx\n")
        try folder.write("m/cur/1000000001.a.b:2,PSXab", "A: c\n\ny\n")
        #expect(try run("m", "n/").status == 0)
        #expect(try maildir("n").map(\.flags) == ["", "PSXab"])
        #expect(try run("--count", "n").text == "n: maildir (cur/ and new/): 2 messages, 16 bytes\n")
        #expect(try run("m", "out.mbox").status == 0)
        let text = String(decoding: try folder.read("out.mbox"), as: UTF8.self)
        #expect(text.contains("From MAILER-DAEMON Sun Sep  9 01:46:41 2001\nA: c\nStatus: RO\nX-Status: Pab\n\ny\n"))
        #expect(try run("out.mbox", "back/").status == 0)
        #expect(try maildir("back").map(\.flags) == ["", "PSab"])
    }

    @Test("--strip-status leaves flags out on every way")
    func stripped() throws {
        try folder.write("in.mbox", "From a@b \(Self.date)\nStatus: RO\nA: b\nX-Status: F\n\nx\n\n")
        #expect(try run("--strip-status", "in.mbox", "out.mbox").status == 0)
        #expect(try folder.read("out.mbox") == Array("From a@b \(Self.date)\nA: b\n\nx\n\n".utf8))
        #expect(try run("--strip-status", "in.mbox", "new/").status == 0)
        #expect(folder.names("new/new").count == 1)
        #expect(try run("in.mbox", "box/").status == 0)
        #expect(try run("--strip-status", "--verify", "box", "back.mbox").status == 0)
        #expect(try folder.read("back.mbox") == Array("From MAILER-DAEMON \(Self.date)\nA: b\n\nx\n\n".utf8))
    }

    @Test("a closed pipe ends it quietly")
    func closedPipe() throws {
        try folder.write("in.mbox", String(repeating: "From a@b \(Self.date)\nA: b\n\nx\n\n", count: 50_000))
        let tool = ToolProcess.path(of: "mboxconv")
        let result = try ToolProcess.run(
            "/bin/sh", ["-c", "'\(tool)' -q in.mbox - | head -n 1"], directory: folder.path)
        #expect(result.text == "From a@b \(Self.date)\n")
        #expect(result.diagnostics.isEmpty)
    }

    @Test("--resume completes what kill -9 stopped: every message once, in order")
    func resumed() throws {
        let messages = (0..<2_000).map { "From a@b \(Self.date)\nA: \($0)\n\nx\n\n" }
        try folder.write("in.mbox", messages.joined())
        try folder.write("more.mbox", messages[..<10].joined())
        var runs = 0
        var arguments = ["-q", "in.mbox", "more.mbox", "box/"]
        while runs < 40 {
            let process = try ToolProcess("mboxconv", arguments, directory: folder.path)
            if runs < 20 {
                usleep(useconds_t(20_000 + runs * 10_000))
                process.signal(SIGKILL)
            }
            let status = process.wait()
            runs += 1
            if status == 0 { break }
            #expect(status == -SIGKILL)
            if folder.names("box").contains("mboxconv.journal") {
                #expect(try run("in.mbox", "box/").status == 73)
                #expect(try run("--resume", "in.mbox", "box/").status == 65)
                arguments = ["-q", "--resume", "--verify", "in.mbox", "more.mbox", "box/"]
            }
        }
        let expected = messages + messages[..<10]
        #expect(try maildir("box").map { $0.bytes.count } == expected.map { $0.utf8.count - 35 })
        #expect(try maildir("box").map(\.bytes) == expected.map { Array($0.utf8.dropFirst(34).dropLast(1)) })
        #expect(folder.names("box") == ["cur", "new", "tmp"])
        #expect(folder.names("box/tmp").isEmpty)
    }

    @Test("a source that another program writes to is waited for")
    func lockedSource() throws {
        let path = try folder.write("in.mbox", "From a@b \(Self.date)\nx\n\n")
        let file = open(path, O_RDWR)
        defer { close(file) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        #expect(fcntl(file, F_SETLK, &lock) == 0)
        #expect(try run("--lock-timeout", "0", "in.mbox", "out").status == 75)
        #expect(try run("--no-lock", "in.mbox", "out").status == 0)
    }

    @Test("Ctrl-C takes temporaries away and says what is left")
    func interrupted() throws {
        let process = try ToolProcess("mboxconv", ["-", "out.mbox"], directory: folder.path)
        process.send("From a@b \(Self.date)\nA: b\n\nx\n\n")
        usleep(300_000)
        process.signal(SIGINT)
        let result = try process.finish()
        #expect(result.status == 130)
        #expect(result.diagnostics.contains("out.mbox: interrupted: nothing was written"))
        #expect(folder.names().isEmpty)
    }
}
