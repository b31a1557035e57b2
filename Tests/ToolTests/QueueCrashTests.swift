import Foundation
import TestSupport
import Testing

@Suite(
    "smtp-send --queue is killed at any instant",
    .enabled(if: faultTracer != nil, "strace is not installed, or may not trace here"))
struct QueueCrashTests {
    /// The system calls that change or tell something.
    private static let calls =
        "openat,write,fdatasync,fsync,renameat2,unlinkat,ftruncate,flock,sendto,recvfrom,connect,close,mkdir"

    /// A sample of the calls; with FACTEUR_TEST_ALL=1 in the environment, each of them.
    private static let step = ProcessInfo.processInfo.environment["FACTEUR_TEST_ALL"] == "1" ? 1 : 11

    private static func strace(
        _ fault: String, when number: Int, of calls: String = calls, filter: [String] = [], _ words: [String],
        input: String = ""
    ) throws -> ToolProcess.Result {
        let options = ["-f", "-qq", "-o", "/dev/null"] + filter + ["-e", "inject=\(calls):\(fault):when=\(number)"]
        return try ToolProcess.run(
            try #require(faultTracer), options + [ToolProcess.path(of: "smtp-send")] + words, input: Array(input.utf8))
    }

    /// Which calls are counted, in which thread they may be, and from which number on they are of interest.
    static let places: [(calls: String, onlyQueue: Bool, first: Int, step: Int)] = [
        (calls, false, 40, step), ("openat,renameat2,unlinkat,fsync,mkdir", true, 1, 1), ("fdatasync", false, 1, 1),
        ("write", false, 1, 1),
    ]

    @Test(
        "while it queues: what was told is there, and every message whole or not at all (RFC 5321 6.1)",
        arguments: places)
    func queueing(_ calls: String, _ onlyQueue: Bool, _ first: Int, _ step: Int) throws {
        let text = String(repeating: "0123456789\n", count: 20)
        let mbox = (0..<4).map { "From a@example.org Mon Nov  2 09:15:00 2026\nSubject: \($0)\n\n\(text)\n" }.joined()
        var isDone = false
        var number = first
        while !isDone, number < 400 {
            let directory = try TestDirectory()
            for name in ["q", "q/tmp"] {
                try FileManager.default.createDirectory(
                    atPath: directory.file(name), withIntermediateDirectories: true)
            }
            let words = [
                "--queue", directory.file("q"), "--queue-only", "--from", "a@example.org", "--to", "b@example.org",
                "--json",
            ]
            let filter = onlyQueue ? ["-P", directory.file("q"), "-P", directory.file("q/tmp")] : []
            let result = try Self.strace("signal=KILL", when: number, of: calls, filter: filter, words, input: mbox)
            isDone = result.status == 0
            let names = directory.names("q").filter { $0.hasSuffix(".bsmtp") }
            for name in names {
                let text = String(decoding: try directory.read("q/\(name)"), as: UTF8.self)
                #expect(text.hasSuffix("0123456789\r\n.\r\nQUIT\r\n") && text.count > 220)
            }
            let told = result.lines.compactMap {
                $0.firstMatch(of: /"text":"queued as ([0-9A-Z]+)"/).map { String($0.1) }
            }
            #expect(told.allSatisfy { names.contains("\($0).bsmtp") }, "\(calls) at \(number)")
            if isDone { #expect(names.count == 4 && told.count == 4) }
            number += step
        }
        #expect(isDone)
    }

    @Test("while it sends: nobody is forgotten, and only who may have been the last to get it gets it twice")
    func sending() throws {
        var number = 40
        var isDone = false
        while !isDone, number < 600 {
            isDone = try survives("signal=KILL", at: number)
            number += Self.step
        }
        #expect(isDone)
    }

    @Test(
        "while it tells the sender: the notification comes",
        arguments: ["fdatasync", "renameat2", "fsync", "write", "unlinkat"])
    func telling(_ call: String) throws {
        var isDone = false
        var number = 1
        while !isDone, number < 40 {
            isDone = try survives("signal=KILL", at: number, of: call)
            number += 1
        }
        #expect(isDone)
    }

    @Test("errors of the disk while it sends lose nothing", arguments: ["EIO", "ENOSPC"])
    func errors(_ code: String) throws {
        for number in stride(from: 45, to: 140, by: 3 * Self.step) { _ = try survives("error=\(code)", at: number) }
    }

    /// Runs a queue with a fault at one system call, then without until it is empty. True when the fault did not come.
    private func survives(_ fault: String, at number: Int, of calls: String = calls) throws -> Bool {
        let directory = try TestDirectory()
        let server = try ScriptedServer { line, count in
            if line.hasPrefix("RCPT"), line.contains("nobody") { return .say("550 5.1.1 no such user") }
            if line.hasPrefix("RCPT"), line.contains("later"), count < 4 { return .say("451 4.2.0 not now") }
            return ScriptedServer.good(line)
        }
        defer { server.stop() }
        let words = ["--queue", directory.file("q"), "--server", "127.0.0.1:\(server.port)", "--connections", "1"]
        let envelope = ["--from", "a@example.org", "--to", "b@example.org,nobody@example.org,later@example.org"]
        let queued = try ToolProcess.run(
            "smtp-send", words + envelope + ["--queue-only"], input: Array("Subject: x\n\nhello\n".utf8))
        #expect(queued.status == 0)
        let status = try Self.strace(fault, when: number, of: calls, words + ["--run"]).status
        for _ in 0..<6 where directory.names("q") != ["tmp"] {
            _ = try ToolProcess.run("smtp-send", words + ["--run"])
        }
        #expect(directory.names("q") == ["tmp"], "\(fault) at \(number)")
        // With PIPELINING, DATA may be answered when nobody is left to get a message.
        let messages = server.log.messages.filter { $0 != ".\r\n" }
        let bounces = messages.count { $0.contains("Final-Recipient: rfc822; nobody@example.org") }
        let copies = messages.count { $0 == "Subject: x\r\n\r\nhello\r\n.\r\n" }
        #expect(bounces + copies == messages.count, "\(fault) at \(number): whole messages only")
        #expect((1...2).contains(bounces), "\(fault) at \(number): bounces")
        // One for b, one for later; one more when the answer, or its record, was lost.
        #expect((2...3).contains(copies), "\(fault) at \(number): copies")
        return status == 75
    }

    @Test("one of several runners is killed: the others finish its work, and only what it had in hand may come twice")
    func severalRunners() throws {
        for number in stride(from: 45, to: 200, by: 4 * Self.step) {
            let directory = try TestDirectory()
            let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
            defer { server.stop() }
            let words = ["--queue", directory.file("q"), "--connections", "1"]
            let mbox = (0..<12).map { "From a@example.org Mon Nov  2 09:15:00 2026\nSubject: m\($0)-\n\nx\n\n" }
                .joined()
            let queued = try ToolProcess.run(
                "smtp-send", words + ["--queue-only", "--from", "a@example.org", "--to", "b@example.org"],
                input: Array(mbox.utf8))
            #expect(queued.status == 0)
            let run = words + ["--run", "--server", "127.0.0.1:\(server.port)"]
            let others = try (0..<2).map { _ in try ToolProcess("smtp-send", run) }
            _ = try Self.strace("signal=KILL", when: number, run)
            for other in others { #expect(other.wait() == 0) }
            _ = try ToolProcess.run("smtp-send", run)
            #expect(directory.names("q") == ["tmp"], "killed at \(number)")
            let copies = (0..<12).map { number in
                server.log.messages.count { $0.hasPrefix("Subject: m\(number)-\r\n") }
            }
            #expect(copies.allSatisfy { $0 >= 1 } && copies.reduce(0, +) <= 13, "killed at \(number): \(copies)")
        }
    }

    @Test("without descriptors left a runner loses nothing, and says so")
    func descriptors() throws {
        let directory = try TestDirectory()
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        defer { server.stop() }
        let words = ["--queue", directory.file("q")]
        for _ in 0..<8 {
            let queued = try ToolProcess.run(
                "smtp-send", words + ["--queue-only", "--from", "a@example.org", "--to", "b@example.org"],
                input: Array("Subject: x\n\nx\n".utf8))
            #expect(queued.status == 0)
        }
        let run = words + ["--run", "--server", "127.0.0.1:\(server.port)"]
        for limit in [8, 10, 12, 14] { _ = try ToolProcess.run("smtp-send", run, limits: "-n \(limit)") }
        #expect(try ToolProcess.run("smtp-send", run).status == 0 && directory.names("q") == ["tmp"])
        let copies = server.log.messages.filter { $0 != ".\r\n" }
        #expect((8...16).contains(copies.count) && copies.allSatisfy { $0 == "Subject: x\r\n\r\nx\r\n.\r\n" })
    }
}
