import Bytes
import Mailboxes
import Testing

private let date = "Thu Jan  1 00:00:00 1970"

@Suite struct MboxScannerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let rule: String
        let mailbox: String
        let messages: [String]
        var format = MboxFormat.mboxrd
        var findings: [String: Int] = [:]
        var testDescription: String { rule }
    }

    static let cases = [
        Case(rule: "one message", mailbox: "From a@b \(date)\nX: y\n\nz\n\n", messages: ["X: y\n\nz\n"]),
        Case(
            rule: "exactly one blank line belongs to the format",
            mailbox: "From a@b \(date)\nz\n\n\n\nFrom a@b \(date)\ny\n\n\n", messages: ["z\n\n\n", "y\n\n"]),
        Case(
            rule: "a From_ line with address and date needs no blank line",
            mailbox: "From a@b \(date)\nz\nFrom a@b \(date)\ny\n", messages: ["z\n", "y\n"],
            findings: ["missing-blank-line": 1]),
        Case(
            rule: "a From_ line with spaces in the sender needs a blank line",
            mailbox: "From a@b \(date)\nz\nFrom a b \(date)\ny\n\nFrom a b \(date)\nx\n",
            messages: ["z\nFrom a b \(date)\ny\n", "x\n"], findings: ["unquoted-from": 1]),
        Case(
            rule: "prose that begins with From does not begin a message",
            mailbox: "From a@b \(date)\nX: y\n\nz\n\nFrom here on it rains\nw\n\n",
            messages: ["X: y\n\nz\n\nFrom here on it rains\nw\n"], findings: ["unquoted-from": 1]),
        Case(
            rule: "a From_ line without date begins a message when a header follows",
            mailbox: "From a@b \(date)\nX: y\n\nz\n\nFrom alice\nSubject: w\n\n",
            messages: ["X: y\n\nz\n", "Subject: w\n"], findings: ["bad-from-line": 1]),
        Case(
            rule: "a bare From_ line begins a message after a blank line",
            mailbox: "From \nz\n\nFrom \ny\n\nFrom\nx\nFrom \nw\n", messages: ["z\n", "y\n\nFrom\nx\nFrom \nw\n"],
            findings: ["bad-from-line": 2, "unquoted-from": 1]),
        Case(
            rule: "mboxrd loses one > of each quoted From_ line",
            mailbox: "From a@b \(date)\n>From x\n>>From y\n > >From z\n>>>>From\n\n",
            messages: ["From x\n>From y\n > >From z\n>>>>From\n"]),
        Case(
            rule: "mboxo keeps every >", mailbox: "From a@b \(date)\n>From x\n>>From y\n\n",
            messages: [">From x\n>>From y\n"], format: .mboxo),
        Case(
            rule: "CRLF lines are read as such", mailbox: "From a@b \(date)\r\nz\r\n\r\nFrom a@b \(date)\r\ny\r\n\r\n",
            messages: ["z\r\n", "y\r\n"]),
        Case(
            rule: "a last line without line end stays so", mailbox: "From a@b \(date)\nz", messages: ["z"],
            findings: ["missing-last-line-end": 1]),
        Case(rule: "an empty message", mailbox: "From a@b \(date)\n\nFrom a@b \(date)\n", messages: ["", ""]),
        Case(
            rule: "blank lines before the first message are skipped", mailbox: "\n\r\nFrom a@b \(date)\nz\n",
            messages: ["z\n"]),
        Case(rule: "an empty mailbox", mailbox: "", messages: []),
        Case(
            rule: "a Content-Length that a From_ line follows is believed",
            mailbox:
                "From a@b \(date)\nContent-Length: 38\n\n\nFrom x@y \(date)\n\nz\n\n"
                + "From a@b \(date)\ncontent-length:2\n\ny\n\n",
            messages: ["Content-Length: 38\n\n\nFrom x@y \(date)\n\nz\n", "content-length:2\n\ny\n"], format: .mboxcl2,
            findings: [:]),
        Case(
            rule: "a Content-Length that is wrong does not swallow the next message",
            mailbox: "From a@b \(date)\nContent-Length: 9\n\nz\n\nFrom a@b \(date)\nContent-Length: 99999\n\ny\n\n",
            messages: ["Content-Length: 9\n\nz\n", "Content-Length: 99999\n\ny\n"], format: .mboxcl,
            findings: ["bad-content-length": 2]),
        Case(
            rule: "a Content-Length of a number beyond all bounds",
            mailbox: "From a@b \(date)\nContent-Length: 999999999999999999\n\nz\n\n",
            messages: ["Content-Length: 999999999999999999\n\nz\n"], format: .mboxcl,
            findings: ["bad-content-length": 1]),
        Case(
            rule: "Content-Length has no meaning in mboxrd",
            mailbox: "From a@b \(date)\nContent-Length: 38\n\n\nFrom x@y \(date)\n\nz\n\n",
            messages: ["Content-Length: 38\n\n", "\nz\n"]),
    ]

    @Test("messages are found by the rules of the format, in pieces of any size", arguments: cases)
    func messages(_ item: Case) throws {
        let mailbox = Array(item.mailbox.utf8)
        for step in [0, 1, 2, 3, 7, 64] {
            for looks in [true, false] {
                let result = try scan(mailbox, item.format, step: step, looks: looks)
                #expect(result.texts == item.messages, "step \(step)")
                #expect(result.findings == item.findings, "step \(step)")
            }
        }
    }

    @Test("what does not begin with a From_ line is no mbox")
    func notMailbox() {
        for text in ["hello", "Subject: x\n\n", "From", "from a@b", "\n\n\u{0}"] {
            #expect(throws: MboxError.self) { try scan(Array(text.utf8), .mboxo) }
        }
    }

    @Test("random bytes give the same messages whole and in pieces", arguments: MboxFormat.allCases)
    func pieces(_ format: MboxFormat) throws {
        var generator = SeededGenerator(state: 7)
        let parts = [
            "From a@b \(date)\n", "From a@b \(date)\r\n", "\n", "\n", "\r\n", ">", "From ", "z", "Content-Length: 5\n",
            "From a@b", "\nFrom x\nTo: y\n", "Content-Length: 30\n\n", "\t\n", "From a@b \(date)\t\n",
        ]
        for _ in 0..<300 {
            var mailbox = Array("From a@b \(date)\n".utf8)
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                mailbox += Array((parts.randomElement(using: &generator) ?? "").utf8)
            }
            let whole = try scan(mailbox, format)
            for step in [1, 5, 31] { #expect(try scan(mailbox, format, step: step) == whole) }
            #expect(try scan(mailbox, format, step: 3, looks: false) == whole)
        }
    }

    @Test("a line of a great many > is passed on in constant memory and loses one")
    func manyQuotes() throws {
        let quotes = String(repeating: ">", count: 5_000)
        let mailbox = Array("From a@b \(date)\n\(quotes)From x\n\(quotes)Fromx\n".utf8)
        let expected = "\(quotes.dropLast())From x\n\(quotes)Fromx\n"
        for step in [0, 1, 7, 300] {
            #expect(try scan(mailbox, .mboxrd, step: step).texts == [expected])
            #expect(try scan(mailbox, .mboxo, step: step).texts == ["\(quotes)From x\n\(quotes)Fromx\n"])
        }
    }
}

@Suite struct MboxWriterTests {
    @Test("what mboxrd and mboxcl2 hold comes back byte for byte", arguments: [MboxFormat.mboxrd, .mboxcl2])
    func roundTrip(_ format: MboxFormat) throws {
        var generator = SeededGenerator(state: 11)
        for _ in 0..<1_000 {
            let messages = (0..<3).map { _ in randomMessage(&generator) }
            let mailbox = write(messages, format)
            for step in [1, 4] { #expect(write(messages, format, step: step) == mailbox) }
            let result = try scan(mailbox, format)
            let bare = result.messages.map(withoutLength)
            if format == .mboxcl2, messages.contains(where: quotedInHeader) {
                // What has no body cannot be counted, and is quoted.
                #expect(result.messages.count == 3)
            } else {
                #expect(bare == messages)
            }
        }
    }

    private func quotedInHeader(_ message: [UInt8]) -> Bool {
        let head = wholeHead(message)
        if head.fieldsEnd != nil { return false }
        let header = [10] + head.bytes
        return header.span.firstIndex(of: "\nFrom ", in: 0..<header.count) != nil
    }

    private func withoutLength(_ message: [UInt8]) -> [UInt8] {
        let head = wholeHead(message)
        return head.stored(removingStatus: false).bytes + message[head.bytes.count...]
    }

    @Test("mboxo and mboxcl quote From_ lines and keep every message apart", arguments: [MboxFormat.mboxo, .mboxcl])
    func quoted(_ format: MboxFormat) throws {
        var generator = SeededGenerator(state: 13)
        for _ in 0..<500 {
            let messages = (0..<3).map { _ in randomMessage(&generator) }
            let result = try scan(write(messages, format), format)
            let expected = messages.map { message in
                Array(
                    message.split(separator: 10, omittingEmptySubsequences: false)
                        .map { $0.starts(with: "From ".utf8) ? [62] + $0 : $0 }.joined(separator: [10]))
            }
            #expect(result.messages.map(withoutLength) == expected)
        }
    }

    @Test("a message larger than what is held gets its Content-Length patched")
    func patched() throws {
        let body = [UInt8](repeating: 0x61, count: 3 << 20)
        let message = Array("Subject: x\n\n".utf8) + body
        let mailbox = write([message, Array("A: b\n\nc\n".utf8)], .mboxcl2, step: 65_536)
        let result = try scan(mailbox, .mboxcl2)
        #expect(result.messages.count == 2)
        #expect(withoutLength(result.messages[0]) == message)
        #expect(result.findings.isEmpty)
    }
}
