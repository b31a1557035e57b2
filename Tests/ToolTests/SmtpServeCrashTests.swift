import Foundation
import TestSupport
import Testing

@Suite(
    "smtp-serve is killed at any instant, and meets a disk that fails",
    .enabled(if: faultTracer != nil, "strace is not installed, or may not trace here"))
struct SmtpServeCrashTests {
    /// A system call that has a fault, the fault, and how many times the call may come before it.
    private struct Fault {
        let calls: String
        let fault: String
        let number: Int
    }

    /// The answers of a client that sends messages to a Maildir, an mbox and the queue, and what is there afterwards.
    private func play(_ fault: Fault) throws -> (codes: [String], directory: TestDirectory) {
        let directory = try TestDirectory()
        let users = try directory.write("users", "b\nmbox \(directory.file("box"))\n")
        // The queue is there: the faults are for messages, not for the start.
        try FileManager.default.createDirectory(
            atPath: directory.file("queue/tmp"), withIntermediateDirectories: true)
        let path = directory.file("socket")
        let server = try ToolProcess(
            try #require(faultTracer),
            [
                "-f", "-qq", "-o", "/dev/null", "-e",
                "inject=\(fault.calls):\(fault.fault):when=\(fault.number)", ToolProcess.path(of: "smtp-serve"),
                "--listen", "127.0.0.1:0", "--json", "--users", users, "--mail", directory.file("mail"), "--domain",
                "c.d", "--relay-for", "127.0.0.1", "--queue", directory.file("queue"), "--listen", "unix:\(path)",
            ])
        defer { server.killWithChildren() }
        var port: UInt16?
        while port == nil, let line = server.nextLine(seconds: 20) {
            if line.contains("\"listening\"") {
                port = line.firstMatch(of: /127\.0\.0\.1:([0-9]+)"/).flatMap { UInt16($0.1) }
            }
        }
        guard let port, let client = try? LineClient(port: port) else { return ([], directory) }
        _ = client.greet()
        var codes: [String] = []
        for number in 0..<3 {
            let recipients = ["b@c.d", "mbox@c.d", "far@elsewhere.example"]
            let code = client.deliver("Subject: m\(number)\r\n\r\n\(number) whole", to: recipients)
            codes.append(code)
            if code == LineClient.silence { break }
        }
        return (codes, directory)
    }

    @Test("it starts no thread: the work is done by those that are there")
    func noThreads() throws {
        let directory = try TestDirectory()
        let server = try ToolProcess(
            try #require(faultTracer),
            [
                "-f", "-qq", "-o", "/dev/null", "-e", "inject=clone3:error=EAGAIN", ToolProcess.path(of: "smtp-serve"),
                "--listen", "127.0.0.1:0", "--json", "--threads", "1", "--mail", directory.file("mail"),
            ])
        defer { server.killWithChildren() }
        let line = server.nextLine(seconds: 20) ?? ""
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:([0-9]+)"/).flatMap { UInt16($0.1) })
        for _ in 0..<3 {
            let client = try LineClient(port: port)
            _ = client.greet()
            #expect(client.deliver("x") == "250")
        }
        #expect(directory.names("mail/b/new").count == 3)
    }

    private func check(_ codes: [String], _ directory: TestDirectory, _ note: String) throws {
        let mail = try ServeSupport.messages(directory, "mail/b")
        let box = (try? String(decoding: directory.read("box"), as: UTF8.self)) ?? ""
        let queued = try directory.names("queue").filter { $0.hasSuffix(".bsmtp") }.map {
            String(decoding: try directory.read("queue/\($0)"), as: UTF8.self)
        }
        for (number, code) in codes.enumerated() where code == "250" {
            #expect(mail.contains { $0.hasSuffix("\nSubject: m\(number)\n\n\(number) whole\n") }, "\(note)")
            #expect(box.contains("\nSubject: m\(number)\n\n\(number) whole\n\n"), "\(note)")
            #expect(queued.contains { $0.hasSuffix("\(number) whole\r\n.\r\nQUIT\r\n") }, "\(note)")
        }
        #expect(
            mail.allSatisfy { $0.hasPrefix("Return-Path: <a@example.org>\n") && $0.hasSuffix(" whole\n") }, "\(note)")
        #expect(queued.allSatisfy { $0.hasSuffix(" whole\r\n.\r\nQUIT\r\n") }, "\(note)")
        #expect(
            codes.allSatisfy { ["250", "451", "452", "421", LineClient.silence].contains($0) }, "\(note): \(codes)")
    }

    /// A sample of the calls; with FACTEUR_TEST_ALL=1 in the environment, each of them.
    private static let isThorough = ProcessInfo.processInfo.environment["FACTEUR_TEST_ALL"] == "1"

    static let kills: [(calls: String, numbers: [Int])] = [
        ("write,pwrite64,pwritev", isThorough ? Array(1...40) : [2, 5, 9]), ("fdatasync", [1, 2, 3, 4]),
        ("renameat2,rename,linkat", [1, 2, 3]), ("fsync", [1, 2]),
        ("sendto", isThorough ? Array(4...24) : [11, 12, 18]),
        ("openat", isThorough ? Array(1...60) : [1, 3, 6, 40, 48]), ("flock,fcntl", [1, 2, 4, 7]),
        ("ftruncate,unlinkat,close", [1, 2, 3]),
    ]

    @Test("killed: what was answered with 250 is there, and nothing that is not whole", arguments: kills)
    func killed(_ calls: String, _ numbers: [Int]) throws {
        for number in numbers {
            let (codes, directory) = try play(Fault(calls: calls, fault: "signal=KILL", number: number))
            try check(codes, directory, "\(calls) at \(number)")
        }
    }

    static let errors: [(calls: String, error: String)] = [
        ("fdatasync", "ENOSPC"), ("fdatasync", "EIO"), ("renameat2", "EROFS"), ("renameat2", "ENOSPC"),
        ("fsync", "EIO"),
        ("ftruncate", "EIO"),
    ]

    @Test("a disk that is full, read-only or broken is 452 or 451, and the session goes on", arguments: errors)
    func failing(_ calls: String, _ error: String) throws {
        for number in 1...3 {
            let (codes, directory) = try play(Fault(calls: calls, fault: "error=\(error)", number: number))
            try check(codes, directory, "\(calls) \(error) at \(number): \(codes)")
            #expect(codes.count == 3 && !codes.contains(LineClient.silence), "\(calls) \(error) at \(number): \(codes)")
            if error == "ENOSPC" { #expect(codes.allSatisfy { $0 != "451" }, "\(calls) at \(number): \(codes)") }
        }
    }
}
