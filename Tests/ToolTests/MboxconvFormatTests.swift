import Foundation
import Glibc
import TestSupport
import Testing

/// mboxconv between formats of every kind.
@Suite struct MboxconvFormatTests {
    private static let date = "Thu Jan  1 00:00:00 1970"
    private let folder: TestDirectory

    init() throws { folder = try TestDirectory() }

    @discardableResult
    private func run(_ arguments: String..., input: [UInt8] = []) throws -> ToolProcess.Result {
        try ToolProcess.run("mboxconv", arguments, input: input, directory: folder.path)
    }

    private func shell(_ script: String) throws -> ToolProcess.Result {
        try ToolProcess.run("/bin/sh", ["-c", script], directory: folder.path)
    }

    private func messages(_ name: String) throws -> [[UInt8]] {
        var messages: [(name: String, bytes: [UInt8])] = []
        for part in ["new", "cur"] {
            for file in folder.names("\(name)/\(part)") {
                messages.append((file, try folder.read("\(name)/\(part)/\(file)")))
            }
        }
        return messages.sorted { $0.name < $1.name }.map(\.bytes)
    }

    /// A message of the lines that trouble mailboxes of any kind.
    private static func message(_ generator: inout SeededGenerator) -> [UInt8] {
        let lines = [
            "From ", "From x@y Thu Jan  1 00:00:00 1970", "From here", ">From a", ">>>From a@b", ">", ".", "..", ".x",
            "QUIT", "DATA", "RCPT TO:<a@b>", "BDAT 5 LAST", "", "", "a", "Subject: x", "\u{0}", "\r", "x\rFrom ",
            " From ",
        ]
        var message: [UInt8] = Array("Subject: t\nX-A: b\n\n".utf8)
        for _ in 0..<Int(generator.next() % 9) {
            message += Array(lines[Int(generator.next() % UInt64(lines.count))].utf8)
            switch generator.next() % 10 {
            case 0: message += [13, 10]
            case 1: break
            default: message += [10]
            }
        }
        return message
    }

    @Test(
        "every message comes back byte for byte through every format",
        arguments: ["mboxrd", "mboxcl2", "maildir", "mh", "eml", "bsmtp"])
    func exact(_ format: String) throws {
        var generator = SeededGenerator(seed: 41)
        var expected = (0..<100).map { _ in Self.message(&generator) }
        expected.append(Array("A: b\n\n".utf8) + [UInt8](repeating: 0x41, count: (1 << 20) + 5_000))
        let line = [UInt8](repeating: 0x42, count: 999) + [10]
        expected.append(Array("A: b\n\n".utf8) + (0..<4_300).flatMap { _ in line } + [13])
        for (index, bytes) in expected.enumerated() { try folder.write("m/new/\(1_000_000_000 + index).x.y", bytes) }
        try folder.write("m/cur/.keep", "")
        #expect(try run("--no-sync", "--verify", "--to", format, "m", "there").status == 0)
        #expect(try run("--no-sync", "--verify", "--from", format, "--to", "maildir", "there", "back").status == 0)
        #expect(try messages("back") == expected)
        // And by its look.
        #expect(try run("--count", "there").text.contains("\(expected.count) messages"))
    }

    @Test(
        "flags, keywords and dates come back from every format that keeps them",
        arguments: ["mboxrd", "mboxo", "mboxcl", "mboxcl2", "maildir++", "mh", "eml", "bsmtp"])
    func flags(_ format: String) throws {
        let names = [
            "new/1000000000.M1.x", "cur/1000000001.M1.x:2,S", "cur/1000000002.M1.x:2,FRS",
            "cur/1000000003.M1.x:2,DFPRST",
            "cur/1000000004.M1.x:2,Sab",
        ]
        for name in names { try folder.write("m/\(name)", "A: \(name)\n\nx\n") }
        try folder.write("m/dovecot-keywords", "0 Junk\n1 work\n")
        #expect(try run("--to", format, "m", "there").status == 0)
        #expect(try run("--from", format, "--to", "maildir", "there", "back").status == 0)
        let back = folder.names("back/new").map { "new/\($0)" } + folder.names("back/cur").map { "cur/\($0)" }
        let flags = back.sorted { $0.dropFirst(4) < $1.dropFirst(4) }.map { name in
            String(name.prefix(4)) + String(name.split(separator: ":").dropFirst().first ?? "")
        }
        #expect(flags == ["new/", "cur/2,S", "cur/2,FRS", "cur/2,DFPRST", "cur/2,Sab"])
        #expect(back.map { $0.dropFirst(4).prefix(10) }.sorted() == names.map { $0.dropFirst(4).prefix(10) }.sorted())
        #expect(String(decoding: try folder.read("back/dovecot-keywords"), as: UTF8.self) == "0 Junk\n1 work\n")
    }

    @Test("names of .eml files keep keywords of any letters, and a message that was noticed only")
    func emlNames() throws {
        try folder.write("m/cur/1000000000.M1.x:2,ab", "A: b\n\nx\n")
        try folder.write("m/cur/1000000001.M1.x:2,", "A: b\n\nx\n")
        try folder.write("m/new/.keep", "")
        try folder.write("m/dovecot-keywords", "0 $Label1\n1 a/b,c.d\n")
        #expect(try run("--to", "eml", "m", "there").status == 0)
        #expect(folder.names("there") == ["000001.,$Label1,a%2Fb%2Cc%2Ed.eml", "000002.-.eml"])
        #expect(try run("there", "back/").status == 0)
        #expect(String(decoding: try folder.read("back/dovecot-keywords"), as: UTF8.self) == "0 $Label1\n1 a/b,c.d\n")
        #expect(folder.names("back/cur").map { $0.split(separator: ":").last } == ["2,ab", "2,"])
    }

    @Test("an MH folder in which everything is read comes back as read")
    func seenMH() throws {
        try folder.write("in.mbox", "From a@b \(Self.date)\nStatus: RO\nA: b\n\nx\n\n")
        #expect(try run("--to", "mh", "in.mbox", "mh").status == 0)
        #expect(try run("mh", "back/").status == 0)
        #expect(folder.names("back/cur").first?.hasSuffix(":2,S") ?? false)
    }

    @Test("X-Keywords and the list of UW's first message become letters of a Maildir")
    func keywords() throws {
        try folder.write(
            "in.mbox",
            "From MAILER-DAEMON \(Self.date)\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
                + "X-IMAP: 1 2 Junk $Forwarded\nStatus: RO\n\nx\n\n"
                + "From a@b \(Self.date)\nX-Keywords: $Forwarded late\nStatus: RO\nA: b\n\nx\n\n")
        #expect(try run("--to", "maildir", "in.mbox", "box").status == 0)
        #expect(folder.names("box/cur").first?.hasSuffix(":2,Sbc") ?? false)
        #expect(
            String(decoding: try folder.read("box/dovecot-keywords"), as: UTF8.self) == "0 Junk\n1 $Forwarded\n2 late\n"
        )
        #expect(try run("box", "back.mbox").status == 0)
        #expect(
            String(decoding: try folder.read("back.mbox"), as: UTF8.self)
                == "From MAILER-DAEMON \(Self.date)\nA: b\nStatus: RO\nX-Keywords: $Forwarded late\n\nx\n\n")
    }

    @Test("batch SMTP says sender, recipients, date and flags (RFC 2442)")
    func batch() throws {
        try folder.write(
            "in.mbox",
            "From a@example.org Sat Aug 21 10:27:43 2004\nTo: \"x, y\" <b@example.org>, c@example.org\nStatus: RO\n\n"
                + ".dot\nx\n\n")
        let result = try run("-q", "--to", "bsmtp", "in.mbox", "-")
        let lines = result.text.components(separatedBy: "\r\n")
        #expect(
            Array(lines.dropFirst()) == [
                "NOOP arrived=2004-08-21T10:27:43Z flags=S", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>",
                "RCPT TO:<c@example.org>", "DATA", "To: \"x, y\" <b@example.org>, c@example.org", "", "..dot", "x", ".",
                "QUIT", "",
            ])
        try folder.write("cut", String(result.text.dropLast(12)))
        #expect(try run("--count", "--json", "cut").text.contains(#""findings":[{"id":"cut-off""#))
    }

    @Test("batch SMTP is appended to: one greeting, one QUIT, all messages; a session that is cut off is left as it is")
    func appendedBatch() throws {
        for number in 1...2 { try folder.write("\(number).mbox", "From a@b.c \(Self.date)\nA: \(number)\n\nx\n\n") }
        #expect(try run("1.mbox", "all.bsmtp").status == 0)
        #expect(try run("2.mbox", "all.bsmtp").status == 73)
        #expect(try run("--append", "--verify", "2.mbox", "all.bsmtp").status == 0)
        let lines = String(decoding: try folder.read("all.bsmtp"), as: UTF8.self).components(separatedBy: "\r\n")
        #expect(lines.count { $0.hasPrefix("EHLO ") } == 1 && lines.count { $0 == "QUIT" } == 1)
        #expect(lines.filter { $0.hasPrefix("A: ") } == ["A: 1", "A: 2"] && lines.suffix(3) == [".", "QUIT", ""])
        // Whoever wrote it may have ended it otherwise.
        try folder.write("other", "MAIL FROM:<>\nRCPT TO:<a@b>\nDATA\nA: 0\n\nx\n.\nquit")
        #expect(try run("--append", "--to", "bsmtp", "2.mbox", "other").status == 0)
        #expect(try run("--count", "other").text.contains("2 messages"))
        #expect(!String(decoding: try folder.read("other"), as: UTF8.self).contains("quit"))
        let cut = "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nA: 0\r\n"
        try folder.write("cut", cut)
        #expect(try run("--append", "2.mbox", "cut").status == 65)
        #expect(String(decoding: try folder.read("cut"), as: UTF8.self) == cut)
        #expect(!folder.names().contains { $0.contains("mboxconv-") })
    }

    @Test("compressed mailboxes are read by the system's programs", arguments: ["gzip", "zstd", "xz", "bzip2"])
    func compressed(_ program: String) throws {
        guard ToolProcess.peer(program) != nil else {
            print("not installed: \(program)")
            return
        }
        let mailbox = (0..<20).map { "From a@b \(Self.date)\nContent-Length: 2\nA: \($0)\n\nx\n\n" }.joined()
        try folder.write("it's", mailbox)
        #expect(try shell("\(program) -c \"it's\" >\"it's.packed\"").status == 0)
        #expect(try run("it's.packed", "out.mbox").status == 0)
        #expect(String(decoding: try folder.read("out.mbox"), as: UTF8.self).contains("A: 19"))
        let stream = try run("--count", "--json", "-", input: try folder.read("it's.packed"))
        #expect(stream.text.contains(#""format":"mboxcl2""#) && stream.text.contains(#""messages":20"#))
        // Standard input that is a file is read where it lies.
        let redirected = try shell("'\(ToolProcess.path(of: "mboxconv"))' --count - <\"it's.packed\"")
        #expect(redirected.status == 0 && redirected.text.contains("20 messages"))
        let packed = try folder.read("it's.packed")
        try folder.write("damaged", Array(packed[..<(packed.count - 10)]))
        let damaged = try run("damaged", "none.mbox")
        #expect(damaged.status == 65 && damaged.diagnostics.contains("is damaged"))
        #expect(!folder.names().contains("none.mbox"))
    }

    @Test("MH and .eml directories are told by their files; others are refused")
    func directories() throws {
        for number in [1, 2, 10] { try folder.write("inbox/\(number)", "A: \(number)\n\nx\n") }
        try folder.write("inbox/,3", "removed")
        try folder.write("mail/b.eml", "A: 2\n\nx\n")
        try folder.write("mail/a.EML", "A: 1\n\nx\n")
        try folder.write("one.eml", "A: only\n\nx\n")
        let list = try run("--list", "inbox", "mail", "one.eml")
        #expect(
            list.lines.map { $0.split(separator: "\t").prefix(2).joined(separator: " ") } == [
                "inbox 0", "inbox 1", "inbox 2", "mail 0", "mail 1", "one.eml 0",
            ])
        #expect(try run("--count", "--json", "inbox").text.contains(#""format":"mh","reason":"3 files with a number"#))
        #expect(try run("inbox", "mail", "one.eml", "all.mbox").status == 0)
        let text = String(decoding: try folder.read("all.mbox"), as: UTF8.self)
        #expect(
            text.components(separatedBy: "\n").filter { $0.hasPrefix("A: ") } == [
                "A: 1", "A: 2", "A: 10", "A: 1", "A: 2", "A: only",
            ])
        #expect(try run("--append", "--to", "mh", "mail", "inbox").status == 0)
        #expect(folder.names("inbox") == [",3", ".mh_sequences", "1", "10", "11", "12", "2"])
        try folder.write("other/file", "x")
        #expect(try run("--count", "other").status == 65)
        #expect(try run("--from", "mh", "--count", "other").text == "other: mh: 0 messages, 0 bytes\n")
    }

    @Test("what is no message in a Maildir is left alone")
    func hostileMaildir() throws {
        try folder.write("m/new/1.a.b", "A: b\n\nx\n")
        try folder.write("m/new/sub/file", "not mail")
        try folder.write("m/cur/.hidden", "not mail")
        _ = try shell(
            "mkfifo m/new/fifo; ln -s ../../secret m/new/link; ln -s /nowhere m/cur/dangling; printf 'A: c\\n' >'m/cur/2.\u{1}b:2,S'"
        )
        try folder.write("secret", "secret")
        let result = try run("--no-sync", "m", "out.mbox")
        #expect(result.status == 0)
        #expect(String(decoding: try folder.read("out.mbox"), as: UTF8.self).components(separatedBy: "A: ").count == 3)
        #expect(!String(decoding: try folder.read("out.mbox"), as: UTF8.self).contains("secret"))
    }

    @Test("a mailbox and itself, by whatever name, are refused")
    func samePlace() throws {
        try folder.write("m/new/1.a.b", "A: b\n\nx\n")
        try folder.write("m/cur/.keep", "")
        try folder.write("a.mbox", "From a@b \(Self.date)\nx\n\n")
        _ = try shell(
            "ln -s m link; ln a.mbox hard; ln -s a.mbox soft; mkdir n; ln -s ../m/new n/new; mkdir n/cur n/tmp")
        for arguments in [
            ["m", "m"], ["m", "link/"], ["link", "m"], ["a.mbox", "hard"], ["a.mbox", "soft"], ["m", "n"],
            ["m", "m/new"],
            ["-r", "m", "m/.Sub"], ["-r", "--to", "mboxrd", "m", "link/x"],
        ] {
            let result = try ToolProcess.run("mboxconv", ["--append"] + arguments, directory: folder.path)
            #expect(result.status == 64, "\(arguments): \(result.diagnostics)")
        }
        let stream = try shell("'\(ToolProcess.path(of: "mboxconv"))' --append - a.mbox <a.mbox")
        #expect(stream.status == 64)
        #expect(String(decoding: try folder.read("a.mbox"), as: UTF8.self) == "From a@b \(Self.date)\nx\n\n")
    }
}
