import Foundation
import Glibc
import TestSupport
import Testing

/// mboxconv killed at any instant, and resumed.
@Suite struct MboxconvResumeTests {
    private static let date = "Thu Jan  1 00:00:00 1970"
    private let folder: TestDirectory

    init() throws { folder = try TestDirectory() }

    private static let count = 600
    private static func message(_ index: Int) -> String {
        "Subject: \(index)\nMessage-ID: <\(index)@x>\n\n" + String(repeating: "line\n", count: index % 300) + "last\n"
    }
    private static let mailbox = (0..<count).map { "From a@b \(date)\n\(message($0))\n" }.joined()

    /// Runs it again and again with --resume, killed after times that differ, until it ends by itself.
    private func killed(_ arguments: [String], _ destination: String) throws {
        var generator = SeededGenerator(seed: 5)
        var words = arguments
        var kills = 0
        for attempt in 0..<20 {
            let process = try ToolProcess("mboxconv", words + ["in.mbox", destination], directory: folder.path)
            if attempt < 8 {
                // The first one dies before it has done anything, however slow the machine is to notice.
                if attempt > 0 { usleep(useconds_t(generator.next() % 100_000 + UInt64(attempt) * 20_000)) }
                process.signal(SIGKILL)
            }
            let status = process.wait()
            if status == 0 { break }
            #expect(status == -SIGKILL)
            kills += 1
            words = arguments + ["--resume"]
        }
        #expect(kills > 0)
    }

    @Test(
        "after kill -9 at any time --resume completes it: every message once, in order",
        arguments: ["mboxrd", "mboxcl2", "maildir", "mh", "eml", "bsmtp"])
    func completes(_ format: String) throws {
        try folder.write("in.mbox", Self.mailbox)
        try killed(["-q", "--no-sync", "--to", format], "out")
        let back = try ToolProcess.run(
            "mboxconv", ["-q", "--no-sync", "--from", format, "--to", "mboxrd", "out", "-"], directory: folder.path)
        #expect(back.status == 0)
        let subjects = back.text.components(separatedBy: "\n").filter { $0.hasPrefix("Subject: ") }
        #expect(subjects == (0..<Self.count).map { "Subject: \($0)" })
        #expect(back.text.components(separatedBy: "\n").count { $0 == "last" } == Self.count)
        #expect(folder.names() == ["in.mbox", "out"])
        #expect(folder.names("out").allSatisfy { !$0.contains("mboxconv") })
    }

    @Test(
        "appending that was killed is completed, and what stood there before stays",
        arguments: ["mboxrd", "maildir", "mh"])
    func appends(_ format: String) throws {
        try folder.write("in.mbox", Self.mailbox)
        try folder.write("old.mbox", "From a@b \(Self.date)\nSubject: old\n\nx\n\n")
        #expect(
            try ToolProcess.run("mboxconv", ["--to", format, "old.mbox", "out"], directory: folder.path).status == 0)
        try killed(["-q", "--no-sync", "--append", "--to", format], "out")
        let list = try ToolProcess.run(
            "mboxconv", ["--list", "--json", "--from", format, "out"], directory: folder.path)
        let subjects = list.lines.compactMap {
            $0.components(separatedBy: "\"subject\":\"").last?.components(separatedBy: "\"").first
        }
        #expect(subjects == ["old"] + (0..<Self.count).map(String.init))
    }

    @Test("what another program has appended after the kill is not touched")
    func foreign() throws {
        try folder.write("in.mbox", Self.mailbox)
        try folder.write("out", "From a@b \(Self.date)\nSubject: old\n\nx\n\n")
        var isJournalled = false
        for _ in 0..<20 where !isJournalled {
            let process = try ToolProcess("mboxconv", ["-q", "--append", "in.mbox", "out"], directory: folder.path)
            for _ in 0..<50_000 where !isJournalled {
                isJournalled = try folder.names().contains("out.mboxconv-journal") && folder.read("out").count > 100
                usleep(200)
            }
            process.signal(SIGKILL)
            // Something of it must be there, or what the other program appends is simply the next message.
            isJournalled =
                try process.wait() != 0 && folder.names().contains("out.mboxconv-journal")
                && folder.read("out").count > 100
            if !isJournalled { try folder.write("out", "From a@b \(Self.date)\nSubject: old\n\nx\n\n") }
        }
        guard isJournalled else { return }
        let mine = try folder.read("out")
        try folder.write("out", mine + Array("\n\nFrom c@d \(Self.date)\nSubject: new\n\ny\n\n".utf8))
        let refused = try ToolProcess.run("mboxconv", ["-q", "--append", "in.mbox", "out"], directory: folder.path)
        #expect(refused.status == 73 && refused.diagnostics.contains("--resume"))
        let resumed = try ToolProcess.run(
            "mboxconv", ["-q", "--append", "--resume", "in.mbox", "out"], directory: folder.path)
        // Where the killed run lacked only its end, nothing more is to be written, and the other's mail follows.
        let isWhole = mine.count > Self.mailbox.utf8.count
        #expect(resumed.status == (isWhole ? 0 : 65), "\(resumed.diagnostics)")
        #expect(try folder.read("out").starts(with: mine))
        #expect(String(decoding: try folder.read("out").suffix(70), as: UTF8.self).contains("Subject: new"))
    }

    @Test("a tree and parts of a split are completed too", arguments: [["--split", "from"], ["--recursive"]])
    func several(_ way: [String]) throws {
        let all = (0..<Self.count).map {
            "From a@b \(Self.date)\nFrom: u\($0 % 5)@x\n\(Self.message($0))\n"
        }
        for part in 0..<5 {
            try folder.write("in.mbox/u\(part)", stride(from: part, to: Self.count, by: 5).map { all[$0] }.joined())
        }
        if way == ["--split", "from"] {
            try FileManager.default.removeItem(atPath: folder.file("in.mbox"))
            try folder.write("in.mbox", all.joined())
        }
        try killed(way + ["-q", "--no-sync", "--to", "maildir++"], "out")
        #expect(folder.names("out").filter { $0.hasPrefix(".") && $0.hasPrefix(".u") }.count == 5)
        for name in folder.names("out") where name.hasPrefix(".u") {
            #expect(folder.names("out/\(name)/new").count == Self.count / 5, "\(name)")
            #expect(!folder.names("out/\(name)").contains("mboxconv.journal"))
        }
        #expect(!folder.names("out").contains { $0.contains("mboxconv") })
    }

    @Test("Ctrl-C keeps what is whole and says how to go on")
    func interrupted() throws {
        let large = (0..<40).map {
            "From a@b \(Self.date)\nA: \($0)\n\n" + String(repeating: "x\n", count: 500_000) + "\n"
        }
        try folder.write("in.mbox", large.joined())
        for (format, journal) in [("mboxrd", "out.mboxconv-journal"), ("maildir", "out/mboxconv.journal")] {
            var status: Int32?
            var said = ""
            let process = try ToolProcess("mboxconv", ["--to", format, "in.mbox", "out"], directory: folder.path)
            for _ in 0..<5_000 where access(folder.file(journal), F_OK) != 0 { usleep(200) }
            usleep(100_000)
            process.signal(SIGINT)
            let result = try process.finish()
            status = result.status
            said = result.diagnostics
            if status == 130, said.contains("there: go on with --resume") {
                #expect(
                    try ToolProcess.run("mboxconv", ["--to", format, "in.mbox", "out"], directory: folder.path).status
                        == 73)
                let resumed = try ToolProcess.run(
                    "mboxconv", ["--resume", "--verify", "--to", format, "in.mbox", "out"], directory: folder.path)
                #expect(resumed.status == 0, "\(resumed.diagnostics)")
            } else {
                #expect(status == 0 || said.contains("nothing was written"), "\(said)")
            }
            _ = try ToolProcess.run("/bin/rm", ["-rf", folder.file("out")])
            #expect(folder.names() == ["in.mbox"])
        }
    }

    @Test("--resume of what is complete already is no error, and adds nothing")
    func completeAlready() throws {
        try folder.write("in.mbox", "From a@b \(Self.date)\nA: b\n\nx\n\n")
        for format in ["mboxrd", "maildir", "mh"] {
            for _ in 0..<2 {
                #expect(
                    try ToolProcess.run(
                        "mboxconv", ["--resume", "--to", format, "in.mbox", "\(format).out"], directory: folder.path
                    ).status == 0)
            }
            #expect(
                try ToolProcess.run("mboxconv", ["--count", "\(format).out"], directory: folder.path).text.contains(
                    "1 message,"))
        }
        try folder.write("other.mbox", "From a@b \(Self.date)\nA: other\n\nx\n\n")
        #expect(
            try ToolProcess.run("mboxconv", ["--resume", "other.mbox", "mboxrd.out"], directory: folder.path).status
                == 73)
    }
}
