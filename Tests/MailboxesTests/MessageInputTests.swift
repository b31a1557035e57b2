import Bytes
import Foundation
import Mailboxes
import Synchronization
import TestSupport
import Testing

@Suite("Messages from inputs of every kind") struct MessageInputTests {
    /// Writes down what it is given.
    final class Recorder: MessageVisitor, Sendable {
        let lines = Mutex<[String]>([])
        let place: OrderedPlace?
        let stopsAfter: Int

        init(_ place: OrderedPlace? = nil, stopsAfter: Int = .max) {
            self.place = place
            self.stopsAfter = stopsAfter
        }

        func visit(_ message: InputMessage, _ bytes: Span<UInt8>) -> Bool {
            let name = message.file.split(separator: "/").last.map(String.init) ?? ""
            let line = "\(name)/\(message.index)/\(message.size)/\(message.envelope == nil ? "" : "From")"
            place?.write(Array("\(line)\n".utf8))
            return lines.withLock {
                $0.append(line)
                return $0.count < stopsAfter
            }
        }

        func report(_ problem: InputProblem) {
            let name = problem.file.split(separator: "/").last.map(String.init) ?? ""
            let line = "\(name)/\(problem.index)/\(problem.kind)"
            place?.write(Array("\(line)\n".utf8))
            lines.withLock { $0.append(line) }
        }
    }

    func inputs(_ folder: TestDirectory) throws -> [String] {
        let box = (0..<500).map { "From a@b Mon Nov  2 09:15:00 2026\nSubject: \($0)\n\n>From x\nyes\n" }
        try folder.write("m/new/1.a.b", "Subject: three\n\n")
        try folder.write("m/cur/2.a.b:2,S", "Subject: four\n\n")
        return [
            try folder.write("one", "Subject: a\n\nb\n"), try folder.write("empty", ""),
            try folder.write("box", box.joined(separator: "\n")), folder.file("m"),
            try folder.write("single", "From a@b Mon Nov  2 09:15:00 2026\nSubject: x\n\n>From y\n"),
            try folder.write("batch", "EHLO a\r\nMAIL FROM:<>\r\nDATA\r\nSubject: s\r\n\r\n..x\r\n.\r\nQUIT\r\n"),
            try folder.write("large", "Subject: l\n\n" + String(repeating: "line\n", count: 300_000)),
            folder.file("missing"), try folder.write("nodata", "HELO x\n"), folder.path,
        ]
    }

    @Test("each kind is recognised, and problems do not stop the others")
    func kinds() throws {
        let folder = try TestDirectory()
        let recorder = Recorder()
        try MessageInput(inputs(folder)).read(recorder)
        let lines = recorder.lines.withLock { $0 }
        #expect(lines.first == "one/0/14/" && lines[1] == "empty/0/notMessage")
        #expect(lines[2] == "box/0/23/From" && lines[501] == "box/499/25/From")
        #expect(
            lines[502...].prefix(6)
                == [
                    "m/0/16/", "m/1/15/", "single/0/20/From", "batch/0/18/", "large/0/1500012/", "missing/0/unreadable",
                ])
        #expect(lines[508] == "nodata/0/notMessage" && lines[509].hasSuffix("/0/unreadable") && lines.count == 510)
    }

    @Test("an mbox that counts its messages' bytes is read by these: a From_ line in a body is no end")
    func counted() throws {
        let folder = try TestDirectory()
        let line = "From a@b Thu Jan  1 00:00:00 1970\n"
        let body = "x\n\n\(line)y\n>From z\n"
        let message = "\(line)A: b\nContent-Length: \(body.utf8.count)\n\n\(body)\n"
        let path = try folder.write("box", message + message)
        let recorder = Recorder()
        try MessageInput([path]).read(recorder)
        let size = "A: b\nContent-Length: \(body.utf8.count)\n\n\(body)".utf8.count
        #expect(recorder.lines.withLock { $0 } == ["box/0/\(size)/From", "box/1/\(size)/From"])
    }

    @Test("many workers give the output of one, in its order", arguments: [1, 2, 7])
    func order(_ jobs: Int) throws {
        let folder = try TestDirectory()
        let names = try (0..<3).flatMap { _ in try inputs(folder) }
        let single = Recorder()
        try MessageInput(names).read(single)
        let output = Mutex<[UInt8]>([])
        let visitors = try MessageInput(names).read(jobs: jobs, write: { bytes in output.withLock { $0 += bytes } }) {
            Recorder($0)
        }
        let text = output.withLock { $0.text }
        #expect(text == single.lines.withLock { $0.joined(separator: "\n") + "\n" })
        #expect(visitors.reduce(0) { $0 + $1.lines.withLock { $0.count } } == 1_530)
    }

    @Test("one message of each input, and an end when the visitor wants one")
    func only() throws {
        let folder = try TestDirectory()
        let recorder = Recorder()
        var input = MessageInput(Array(try inputs(folder).prefix(5)))
        input.only = 1
        try input.read(recorder)
        #expect(recorder.lines.withLock { $0 } == ["box/1/23/From", "m/1/15/"])
        let short = Recorder(stopsAfter: 3)
        try MessageInput(inputs(folder)).read(short)
        #expect(short.lines.withLock { $0.count } == 3)
    }

    @Test("batch SMTP in pieces of any size: dot-stuffing, CRLF and LF, a message without its end (RFC 2442)")
    func batch() {
        let text = Array("MAIL FROM:<a>\nDATA\n..a\r\n.b\n.\r\nRSET\ndata \r\n.\r\nDATA\nx\n..".utf8)
        for size in 1...text.count {
            var scanner = BatchScanner()
            var buffer: [UInt8] = []
            var messages: [String] = []
            var content: [UInt8] = []
            var fed = 0
            while true {
                while let event = scanner.next(in: buffer.span, isFinal: fed == text.count) {
                    switch event {
                    case .begin: content = []
                    case .content(let range): content += buffer[range]
                    case .end: messages.append(content.text)
                    }
                }
                if fed == text.count { break }
                buffer.removeFirst(scanner.consumed)
                scanner.dropConsumed()
                let next = min(fed + size, text.count)
                buffer += text[fed..<next]
                fed = next
            }
            #expect(messages == [".a\r\nb\n", "", "x\n."], "pieces of \(size)")
        }
    }
}
