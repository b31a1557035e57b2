import Bytes
import SMTP
import TestSupport
import Testing
import Unix

@testable import Delivery

@Suite("Queue")
struct QueueTests {
    private let directory: TestDirectory
    private let queue: Queue

    init() throws {
        directory = try TestDirectory()
        queue = try Queue(directory.file("queue"))
    }

    private func envelope(_ recipients: String..., body: MailParameters.Body? = nil) -> QueuedEnvelope {
        var parameters = MailParameters()
        parameters.body = body
        return QueuedEnvelope(
            reversePath: "a@example.org", parameters: parameters, recipients: recipients.map { .init(path: $0) },
            arrival: 1_764_000_000)
    }

    private func entry(_ id: QueueID) throws -> QueueEntry {
        guard case .open(let entry) = try QueueEntry.open(id, in: queue, locking: true) else {
            throw TestFailure("\(id) cannot be opened")
        }
        return entry
    }

    private func content(_ entry: QueueEntry) -> [UInt8] {
        func read(_ file: borrowing MappedFile) -> [UInt8] { file.bytes.array(entry.file.content) }
        return read(entry.bytes.file)
    }

    @Test("a queued message is a batch SMTP file that says all of its envelope (RFC 2442, RFC 3461)")
    func format() throws {
        var envelope = envelope("b@example.net", "\"x>y\"@example.net", body: .eightBit)
        envelope.parameters.returned = .headers
        envelope.parameters.envelopeID = "a+2Bb"
        envelope.recipients[0].parameters.notify = [.success, .delay]
        envelope.recipients[0].parameters.originalRecipient = "rfc822;o@example.org"
        envelope.recipients[1].parameters.notify = []
        let id = try queue.add(Array("Subject: x\n\n.dot\nend".utf8).span, envelope)
        let text = try directory.read("queue/\(id).bsmtp").text
        #expect(
            text.split(separator: "\r\n").map(String.init).dropFirst() == [
                "NOOP id=\(id) arrived=2025-11-24T16:00:00Z",
                "MAIL FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
                "RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@example.org",
                "RCPT TO:<\"x>y\"@example.net> NOTIFY=NEVER", "DATA", "Subject: x", "..dot", "end", ".", "QUIT",
            ])
        let read = try entry(id)
        #expect(read.envelope == envelope)
        #expect(content(read).text == "Subject: x\r\n\r\n..dot\r\nend\r\n")
    }

    @Test("a message that is not text is kept to the octet (RFC 3030)")
    func binary() throws {
        let message: [UInt8] = [13, 0, 10, 46, 10, 255, 13]
        let id = try queue.add(message.span, envelope("b@example.net", body: .binary))
        let read = try entry(id)
        #expect(!read.file.isStuffed && content(read) == message)
    }

    @Test("nobody sees a message before it is published, and a dropped one leaves nothing")
    func publishing() throws {
        var delivery: QueueDelivery? = try queue.begin(envelope("b@example.net"))
        try delivery?.write(Array("x".utf8).span)
        #expect(try queue.identifiers().isEmpty && directory.names("queue/tmp").count == 1)
        delivery = nil
        #expect(try queue.identifiers().isEmpty && directory.names("queue/tmp").isEmpty)
    }

    @Test("the log is read back; a line that was cut counts for nothing and spoils no other")
    func log() throws {
        let id = try queue.add(Array("x\n".utf8).span, envelope("b@example.net", "c@example.net"))
        let answer = QueueAnswer(code: 451, enhanced: "4.3.0", host: "mx:25", text: "busy\nnow")
        try entry(id).record([.deferred(0, next: 1_764_000_300, answer), .delivered(1, QueueAnswer(text: "ok"))])
        let whole = try directory.read("queue/\(id).log")
        try directory.write("queue/\(id).log", whole + Array("2025-11-24T16:00:00Z delivered 1".utf8))
        try entry(id).record([.held, .rerouted("relay:25"), .told(1)])
        let read = try entry(id)
        #expect(read.recipients.map(\.status) == [.waiting, .delivered])
        #expect(read.recipients[0].nextAttempt == 1_764_000_300 && read.recipients[0].attempts == 1)
        #expect(read.recipients[0].answer == QueueAnswer(code: 451, enhanced: "4.3.0", host: "mx:25", text: "busy now"))
        #expect(read.isHeld && read.route == "relay:25" && read.recipients[1].isTold && !read.isFinished)
    }

    @Test("one at a time works on a message; a removed one is gone")
    func locking() throws {
        let id = try queue.add(Array("x\n".utf8).span, envelope("b@example.net"))
        let first = try entry(id)
        guard case .busy = try QueueEntry.open(id, in: queue, locking: true) else {
            throw TestFailure("locked twice")
        }
        try first.record([.held])
        try first.remove()
        guard case .gone = try QueueEntry.open(id, in: queue, locking: true) else { throw TestFailure("not gone") }
        #expect(directory.names("queue") == ["tmp"])
    }

    @Test("a message of a given name is queued once, over what a crash has left of it")
    func once() throws {
        let id = try #require(QueueID("X1-0"))
        try directory.write("queue/tmp/X1-0.bsmtp", "EHLO x\r\nMAIL FR")
        try queue.addOnce(Array("Subject: first\n".utf8).span, envelope("b@example.net"), id: id)
        try queue.addOnce(Array("Subject: second\n".utf8).span, envelope("b@example.net"), id: id)
        #expect(content(try entry(id)).text == "Subject: first\r\n")
        #expect(directory.names("queue") == ["X1-0.bsmtp", "tmp"] && directory.names("queue/tmp").isEmpty)
    }

    @Test(
        "room for the log is no event: what stands in it is read, what is behind it is not, and it goes with the message"
    )
    func room() throws {
        let id = try queue.add(Array("x\n".utf8).span, envelope("b@example.net", "c@example.net"))
        do {
            let first = try entry(id)
            try first.prepareRecord(recipients: 2)
            try first.record([.delivered(1, QueueAnswer(text: String(repeating: "x", count: 5_000)))])
            try first.prepareRecord(recipients: 2)
        }
        #expect(try directory.read("queue/\(id).log").count > 4_096)
        let second = try entry(id)
        #expect(second.recipients.map(\.status) == [.waiting, .delivered])
        try second.record([.held])
        #expect(try directory.read("queue/\(id).log").count < 2_048)
        try second.remove()
        #expect(directory.names("queue") == ["tmp"])
        let other = try entry(try queue.add(Array("x\n".utf8).span, envelope("b@example.net")))
        try other.prepareRecord(recipients: 1)
        try other.remove()
        #expect(directory.names("queue") == ["tmp"])
    }

    @Test("the log of a message that is gone is a leftover, that of one that is there is not")
    func leftovers() throws {
        let id = try queue.add(Array("x\n".utf8).span, envelope("b@example.net"))
        try entry(id).record([.held])
        try directory.write("queue/X1.log", "2026-11-24T10:00:00Z held\n")
        try queue.removeLeftovers()
        #expect(directory.names("queue") == ["\(id).bsmtp", "\(id).log", "tmp"])
    }

    @Test("what is told of a message that must stay encrypted must stay so too (RFC 8689 5)")
    func requiredTLS() {
        var envelope = envelope("b@example.net")
        envelope.parameters.requiresTLS = true
        let notification = StatusNotification(
            envelope: envelope, recipients: [], host: "mx.example", header: [], message: nil)
        #expect(notification.queuedEnvelope(arrival: 0).parameters.requiresTLS)
        #expect(StatusNotification.returnLimit(of: .failed, envelope.parameters) < 0)
        #expect(StatusNotification.returnLimit(of: .failed, MailParameters()) > 0)
        #expect(StatusNotification.returnLimit(of: .delayed, MailParameters()) < 0)
    }

    @Test(
        "a file that is no batch SMTP is damaged, and stays",
        arguments: [
            "", "EHLO x\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n", "DATA\r\n.\r\n",
            "MAIL FROM:<a@b\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 9 LAST\r\nx",
            "MAIL FROM:<a@b> X=1\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n", "GET / HTTP/1.0\r\n",
        ])
    func damage(_ text: String) throws {
        try directory.write("queue/X1.bsmtp", text)
        guard case .damaged = try QueueEntry.open(try #require(QueueID("X1")), in: queue, locking: true) else {
            throw TestFailure("taken")
        }
        #expect(directory.names("queue") == ["X1.bsmtp", "tmp"])
    }

    @Test("mutated queue files and logs never trap")
    func mutations() throws {
        var generator = SeededGenerator(seed: 7)
        let id = try queue.add(Array("Subject: x\n\n.dot\n".utf8).span, envelope("b@example.net", body: .eightBit))
        try entry(id).record([.deferred(0, next: 1_764_000_300, QueueAnswer(code: 451, text: "x")), .told(0)])
        let file = try directory.read("queue/\(id).bsmtp")
        let log = try directory.read("queue/\(id).log")
        for _ in 0..<500 {
            _ = try? QueueFile(generator.mutated(file).span, arrival: 0)
            _ = QueueLog.events(generator.mutated(log))
        }
    }

    @Test("a run for domains is for them alone; @ means those below too (RFC 1985 5)")
    func domains() throws {
        let domains = try #require(QueueDomains(["Example.org", "@net.example"]))
        for (path, isMeant) in [
            ("a@example.org", true), ("\"x@y\"@EXAMPLE.ORG", true), ("a@sub.example.org", false),
            ("a@net.example", true), ("a@deep.net.example", true), ("a@notnet.example", false), ("postmaster", false),
        ] { #expect(domains.contains(path) == isMeant, "\(path)") }
        #expect(QueueDomains(["a b"]) == nil && QueueDomains(["@"]) == nil && QueueDomains([])?.contains("x") == true)
        try queue.add(Array("x\n".utf8).span, envelope("b@example.org"))
        #expect(try queue.hasWaiting(for: domains))
        #expect(try !queue.hasWaiting(for: try #require(QueueDomains(["net.example"]))))
    }

    /// `HOST:PORT` of the next server, and how notifications name it.
    static let hosts = [
        ("mx.example.net:25", "dns; mx.example.net"), ("192.0.2.1:25", "dns; [192.0.2.1]"),
        ("[2001:db8::1]:2525", "dns; [IPv6:2001:db8::1]"), ("/run/lmtp", "x-unix-socket; /run/lmtp"),
    ]

    @Test("Remote-MTA is a domain, or an address in the brackets of a literal (RFC 3464 2.1.2)", arguments: hosts)
    func remoteMTA(_ host: String, _ expected: String) {
        let envelope = envelope("b@example.net")
        let answer = QueueAnswer(code: 550, enhanced: "5.1.1", host: host, text: "no")
        let notification = StatusNotification(
            envelope: envelope,
            recipients: [
                .init(
                    path: "b@example.net", parameters: RecipientParameters(), action: .failed, answer: answer,
                    latestAttempt: 0)
            ], host: "mx.example", header: Array("Subject: x\n\n".utf8), message: nil)
        #expect(notification.build(now: 0, zone: 0).text.contains("\r\nRemote-MTA: \(expected)\r\n"))
    }
}
