import Foundation
import TestSupport
import Testing

/// mboxconv: folders, selections, duplicates, parts.
@Suite struct MboxconvChoiceTests {
    private let folder: TestDirectory

    init() throws {
        folder = try TestDirectory()
        var mailbox = ""
        for index in 0..<12 {
            mailbox += "From u@example.org Sat Aug 21 10:27:43 \(2000 + index / 4)\n"
            mailbox +=
                "From: u\(index % 3)@example.org\nMessage-ID: <\(index % 6)@x>\nDate: Sat, 21 Aug \(2000 + index / 4) 10:00:00 +0000\n"
            if index % 2 == 0 { mailbox += "Status: RO\n" }
            if index % 6 == 3 { mailbox += "X-Keywords: home work\n" }
            mailbox += "\ntext \(index)\n" + String(repeating: "x", count: index * 100) + "\n\n"
        }
        try folder.write("in.mbox", mailbox)
    }

    @discardableResult
    private func run(_ arguments: String...) throws -> ToolProcess.Result {
        try ToolProcess.run("mboxconv", arguments, directory: folder.path)
    }

    private func texts(_ name: String) throws -> [Int] {
        String(decoding: try folder.read(name), as: UTF8.self).components(separatedBy: "\n")
            .filter { $0.hasPrefix("text ") }.compactMap { Int($0.dropFirst(5)) }
    }

    @Test(
        "--where takes the messages that it speaks of",
        arguments: [
            ("flag:S", Array(stride(from: 0, to: 12, by: 2))), ("from~^u1@", [1, 4, 7, 10]), ("size>1K", [10, 11]),
            ("date>2001 and not flag:S", [9, 11]), ("text~'text 7'", [7]), ("from~u9", []),
            ("keyword:WORK", [3, 9]), ("not keyword:work and from~u0", [0, 6]),
        ])
    func selected(_ expression: String, _ expected: [Int]) throws {
        #expect(try run("--verify", "--where", expression, "in.mbox", "out.mbox").status == 0)
        #expect(try texts("out.mbox") == expected)
        let count = try run("--count", "--json", "--where", expression, "in.mbox")
        #expect(count.text.contains("\"messages\":\(expected.count),"))
        #expect(try run("--list", "--where", expression, "in.mbox").lines.count == expected.count)
    }

    @Test("a message without Date has that of its delivery")
    func undated() throws {
        try folder.write("undated.mbox", "From a@b Sat Aug 21 10:27:43 2004\nA: b\n\nx\n\n")
        for (expression, count) in [("date=2004-08-21", 1), ("date<2004-08-21", 0)] {
            #expect(
                try run("--count", "--json", "--where", expression, "undated.mbox").text.contains(
                    "\"messages\":\(count),"))
        }
        #expect(try run("--count", "--where", "from~^u1@", "in.mbox").text.contains("4 of 12 messages"))
        #expect(try run("--count", "--where", "text~'text 7'", "in.mbox").text.contains("1 of 12 messages"))
    }

    @Test("a selection that cannot be read is a usage error that names the place")
    func wrongSelection() throws {
        let result = try run("--where", "size>", "in.mbox", "out.mbox")
        #expect(result.status == 64 && result.diagnostics.contains("--where: at character"))
        for arguments in [["--split", "week"], ["--split", "size:0"], ["--dedupe", "x"]] {
            #expect(try ToolProcess.run("mboxconv", arguments + ["in.mbox", "o"], directory: folder.path).status == 64)
        }
    }

    @Test("--dedupe keeps the first of messages with one Message-ID, or of equal ones, also of those that were there")
    func duplicates() throws {
        let result = try run("--dedupe", "id", "--json", "in.mbox", "out.mbox")
        #expect(result.text.contains(#""messages":6,"#) && result.text.contains(#""duplicates":6"#))
        #expect(try texts("out.mbox") == [0, 1, 2, 3, 4, 5])
        #expect(try run("--dedupe", "content", "--verify", "in.mbox", "in.mbox", "both.mbox").status == 0)
        #expect(try texts("both.mbox") == Array(0..<12))
        #expect(try run("--dedupe", "id", "--append", "in.mbox", "out.mbox").status == 0)
        #expect(try texts("out.mbox") == [0, 1, 2, 3, 4, 5])
        #expect(try run("--dedupe", "content", "--append", "in.mbox", "out.mbox").status == 0)
        #expect(try texts("out.mbox") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    }

    @Test("--split parts messages by year, month, sender and size")
    func split() throws {
        #expect(try run("--verify", "--split", "year", "in.mbox", "out.mbox").status == 0)
        #expect(folder.names() == ["in.mbox", "out-2000.mbox", "out-2001.mbox", "out-2002.mbox"])
        #expect(try texts("out-2001.mbox") == [4, 5, 6, 7])
        #expect(try run("--split", "month", "--to", "mboxrd", "in.mbox", "months/").status == 0)
        #expect(folder.names("months") == ["2000-08.mbox", "2001-08.mbox", "2002-08.mbox"])
        #expect(try run("--split", "from", "--to", "maildir++", "--verify", "in.mbox", "box").status == 0)
        let folders = [".u0@example\\2eorg", ".u1@example\\2eorg", ".u2@example\\2eorg"]
        #expect(folder.names("box").filter { $0.hasPrefix(".") } == folders)
        #expect(
            folder.names("box/.u1@example\\2eorg/new").count + folder.names("box/.u1@example\\2eorg/cur").count == 4)
        #expect(try run("--split", "size:2K", "--json", "in.mbox", "p.mbox").status == 0)
        let parts = folder.names().filter { $0.hasPrefix("p-") }
        #expect(parts.first == "p-001.mbox" && parts.count > 2)
        for part in parts { #expect(try folder.read(part).count <= 2_048 || (try texts(part).count) == 1) }
        #expect(try parts.flatMap(texts) == Array(0..<12))
        #expect(try run("--split", "year", "in.mbox", "out.mbox").status == 73)
        #expect(try run("--split", "year", "--append", "in.mbox", "out.mbox").status == 0)
        #expect(try texts("out-2001.mbox") == [4, 5, 6, 7, 4, 5, 6, 7])
    }

    @Test(
        "a tree of folders keeps its form through every layout",
        arguments: ["maildir", "maildir++", "mboxrd", "mh", "eml"])
    func tree(_ format: String) throws {
        let folders = ["", ".Sent", ".Work", ".Work.Ä&B", ".Work.Deep.er"]
        for (index, name) in folders.enumerated() {
            try folder.write(
                "box/\(name.replacingOccurrences(of: "Ä&B", with: "&AMQ-&-B"))/new/10\(index).x.y", "A: \(name)\n\nx\n")
            try folder.write("box/\(name.replacingOccurrences(of: "Ä&B", with: "&AMQ-&-B"))/cur/.keep", "")
        }
        let there = try run("--recursive", "--verify", "--to", format, "box", "there")
        #expect(there.status == 0, "\(there.diagnostics)")
        if format == "mboxrd" {
            #expect(folder.names("there") == ["INBOX", "Sent", "Work", "Work.sbd"])
            #expect(folder.names("there/Work.sbd") == ["Deep", "Ä&B"])
        }
        let back = try run("--recursive", "--verify", "--to", "maildir++", "there", "back")
        #expect(back.status == 0, "\(back.diagnostics)")
        for name in folders.map({ $0.replacingOccurrences(of: "Ä&B", with: "&AMQ-&-B") }) {
            let files = folder.names("back/\(name)/new")
            #expect(files.count == 1, "\(name)")
            guard let file = files.first else { continue }
            #expect(
                String(decoding: try folder.read("back/\(name)/new/\(file)"), as: UTF8.self)
                    == "A: \(name.replacingOccurrences(of: "&AMQ-&-B", with: "Ä&B"))\n\nx\n")
        }
        #expect(folder.names("back/.Sent").contains("maildirfolder"))
        #expect(try run("--recursive", "box", "there").status == 73)
    }

    @Test("a tree of mboxes in any mixture; what is no mailbox is told")
    func mixture() throws {
        _ = try ToolProcess.run(
            "/bin/sh", ["-c", "mkdir -p t/a t/m/new t/m/cur; cp in.mbox t/a/b.mbox; cp in.mbox t/INBOX"],
            directory: folder.path)
        try folder.write("t/mh/1", "A: b\n\nx\n")
        try folder.write("t/notes.txt", "no mail")
        try folder.write("t/m/new/1.a.b", "A: b\n\nx\n")
        let result = try run("-r", "--to", "maildir++", "t", "box")
        #expect(result.status == 0 && result.diagnostics.contains("t/notes.txt: no mailbox: left out"))
        #expect(folder.names("box").filter { $0.hasPrefix(".") } == [".a.b", ".m", ".mh"])
        #expect(folder.names("box/new").count + folder.names("box/cur").count == 12)
        let count = try run("--count", "-r", "t")
        #expect(count.lines.count == 4)
        #expect(try run("--count", "t").status == 65)
    }
}
