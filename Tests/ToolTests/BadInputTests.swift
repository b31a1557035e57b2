import Foundation
import Glibc
import TestSupport
import Testing

/// What each tool answers to files that are not what belongs there: a reason on stderr and the right sysexits code.
@Suite("Bad input")
struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let tool: String
        /// `folder`, `empty`, `garbage`, `missing` and `message` are files of these kinds.
        let arguments: [String]
        let status: Int32
        var testDescription: String { ([tool] + arguments).joined(separator: " ") }

        init(_ tool: String, _ arguments: String, _ status: Int32) {
            self.tool = tool
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.status = status
        }
    }

    static let send = "--server 127.0.0.1:9 --from a@example.org --to b@example.org"
    static let cases = [
        Case("mx", "--dns folder example.org", 66), Case("mx", "--dns missing example.org", 66),
        Case("mx", "--dns garbage example.org", 65), Case("mx", "--dns empty example.org", 68),
        Case("mx", "--config folder example.org", 78), Case("mx", "--config garbage example.org", 78),
        Case("mx", "--config missing example.org", 78),
        Case("smtp-send", "\(send) folder", 66), Case("smtp-send", "\(send) missing", 66),
        Case("smtp-send", "\(send) empty", 65), Case("smtp-send", "\(send) --subject x --attach folder", 66),
        Case("smtp-send", "\(send) --subject x --attach missing", 66),
        Case("smtp-serve", "--listen 127.0.0.1:0 --users folder", 78),
        Case("smtp-serve", "--listen 127.0.0.1:0 --users missing", 78),
        Case("smtp-serve", "--listen 127.0.0.1:0 --users garbage", 78),
        Case("smtp-serve", "--listen 127.0.0.1:0 --cert garbage --key garbage", 78),
        Case("smtp-serve", "--listen 127.0.0.1:0 --cert missing --key missing", 78),
        Case("smtp-serve", "--listen 192.0.2.1:0 --domain example.org", 71),
        Case("smtp-serve", "--listen nonsense", 64),
        Case("pop3d", "--listen 127.0.0.1:0 --passwd folder", 78),
        Case("pop3d", "--listen 127.0.0.1:0 --passwd missing", 78),
        Case("pop3d", "--listen 127.0.0.1:0 --passwd garbage", 78),
        Case("pop3d", "--listen 127.0.0.1:0 --cert empty --key empty", 78),
        Case("mboxconv", "folder out", 65), Case("mboxconv", "missing out", 66), Case("mboxconv", "garbage out", 65),
        Case("mboxconv", "empty out", 0), Case("mboxconv", "--count garbage", 65),
        Case("mailparse", "folder", 66), Case("mailparse", "missing", 66), Case("mailparse", "empty", 65),
        Case("mailparse", "garbage", 65), Case("mailparse", "--json garbage", 65),
        Case("spamscore", "--rules missing message", 66), Case("spamscore", "missing", 66),
        Case("spamscore", "folder", 66), Case("spamscore", "empty", 65),
    ]

    /// A folder with a file of each kind; the garbage has no line that could be a header field.
    static func scratch() throws -> TestDirectory {
        let scratch = try TestDirectory()
        try FileManager.default.createDirectory(atPath: scratch.file("folder"), withIntermediateDirectories: true)
        try scratch.write("empty", "")
        var generator = SeededGenerator(seed: 5)
        try scratch.write("garbage", [0xA1, 0x03, 0xF2] + generator.bytes(4_000).filter { $0 != 10 && $0 != 58 })
        try scratch.write("message", "From: a@example.org\nSubject: x\n\nhello\n")
        return scratch
    }

    @Test("a file that is not what belongs there: a reason and the right exit code", arguments: cases)
    func files(_ bad: Case) throws {
        let scratch = try Self.scratch()
        let result = try ToolProcess.run(bad.tool, bad.arguments, directory: scratch.path, seconds: 30)
        #expect(result.status == bad.status, "\(result.diagnostics)")
        if bad.status != 0 {
            #expect(
                result.diagnostics.hasPrefix("\(bad.tool): ") || result.text.contains("not a message"),
                "\(result.diagnostics)")
        }
        #expect(!FileManager.default.fileExists(atPath: scratch.file("out")) || bad.status == 0)
    }

    static let tools = ["mx", "smtp-send", "smtp-serve", "pop3d", "mboxconv", "mailparse", "spamscore"]

    @Test("output that cannot be written is an error, a closed pipe is a quiet end", arguments: tools)
    func output(_ tool: String) throws {
        let path = ToolProcess.path(of: tool)
        let full = try ToolProcess.run("/bin/sh", ["-c", "'\(path)' --help >/dev/full"])
        #expect(full.status == 74 && full.diagnostics.contains("No space left"))
        let closed = try ToolProcess.run("/bin/bash", ["-c", "'\(path)' --generate man | true; exit ${PIPESTATUS[0]}"])
        #expect(closed.diagnostics.isEmpty)
        #expect([0, 141].contains(closed.status))
    }

    @Test("an option that does not exist is wrong usage", arguments: tools)
    func usage(_ tool: String) throws {
        let result = try ToolProcess.run(tool, ["--no-such-option"])
        #expect(result.status == 64 && result.diagnostics.contains("--no-such-option: unknown option"))
    }

    @Test("a line of 2 MiB in header or body is read, and kept whole")
    func longLine() throws {
        let scratch = try TestDirectory()
        let message =
            Array("From: a@example.org\nSubject: ".utf8) + [UInt8](repeating: 120, count: 2 << 20)
            + Array("\n\n".utf8) + [UInt8](repeating: 121, count: 1 << 20) + [10]
        let file = try scratch.write("long", message)
        let values = try ToolProcess.run("mailparse", ["-h", "from", file])
        #expect(values.status == 0 && values.lines == ["a@example.org"])
        let mbox = try scratch.write("mbox", Array("From a@b Thu Jan  1 00:00:00 1970\n".utf8) + message + [10])
        let converted = try ToolProcess.run("mboxconv", ["--to", "maildir", mbox, scratch.file("out")])
        #expect(converted.status == 0)
        let name = try #require(scratch.names("out/new").first ?? scratch.names("out/cur").first)
        let folder = scratch.names("out/new").isEmpty ? "cur" : "new"
        #expect(try scratch.read("out/\(folder)/\(name)") == message)
    }

    @Test(
        "a file that is cut short while it is read ends the tool with a reason, not with a core",
        .timeLimit(.minutes(2)))
    func cutShort() throws {
        let scratch = try TestDirectory()
        let message =
            "From a@example.org Mon Nov  2 09:15:00 2026\nSubject: x\n\n" + String(repeating: "text\n", count: 200)
        try scratch.write("box", String(repeating: message + "\n", count: 20_000))
        let process = try ToolProcess("mailparse", ["--json", "--mbox", "box"], directory: scratch.path)
        // It is at work, and cannot come far, because nobody reads on.
        var byte: UInt8 = 0
        #expect(read(process.output, &byte, 1) == 1)
        #expect(truncate(scratch.file("box"), 0) == 0)
        let result = try process.finish()
        #expect(result.status == 74)
        #expect(result.diagnostics.hasPrefix("mailparse: a file was cut short"))
    }
}
