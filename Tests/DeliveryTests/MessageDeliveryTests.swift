import Bytes
import Delivery
import Glibc
import Mailboxes
import SMTP
import TestSupport
import Testing
import Unix

@Suite("Deliveries, committed in groups")
struct MessageDeliveryTests {
    private func plan(_ places: [(DeliveryTarget, String)]) -> MessageDelivery.Plan {
        var plan = MessageDelivery.Plan(sender: Path(localPart: "a", domain: "example.org"), time: 1_700_000_000)
        plan.places = places.map { (target: $0.0, head: Array($0.1.utf8)) }
        return plan
    }

    @Test("one message goes to a Maildir, an mbox and the queue, and is nowhere before")
    func everywhere() throws {
        let directory = try TestDirectory()
        try EventLoop.run { _ in
            let committer = GroupCommitter()
            let queue = try Queue(directory.file("queue"))
            var plan = plan([(.maildir(directory.file("m")), "X-M: 1\n"), (.mbox(directory.file("b")), "X-B: 1\n")])
            plan.queue = queue
            let envelope = QueuedEnvelope(
                reversePath: "a@example.org", recipients: [.init(path: "c@d.e")], arrival: 1_700_000_000)
            plan.queued = [.init(head: Array("Delivered-To: x@y.z\n".utf8), envelope)]
            let delivery = committer.begin(plan)
            delivery.append(Array("Subject: x\n\n".utf8))
            try delivery.writePending()
            delivery.append(Array("From x\n".utf8))
            #expect(directory.names("m/new").isEmpty && directory.names("m/tmp").count == 1)
            #expect(try queue.identifiers().isEmpty && !Files.exists(directory.file("b")))
            try await committer.commit([delivery]).get()
            let id = try #require(try queue.identifiers().first)
            let text = try directory.read("queue/\(id).bsmtp").text
            #expect(text.contains("\r\nDATA\r\nDelivered-To: x@y.z\r\nSubject: x\r\n"))
            #expect(directory.names("m/tmp").isEmpty)
        }
        let stored = try directory.read("m/new/\(directory.names("m/new").first ?? "")")
        #expect(stored.text == "X-M: 1\nSubject: x\n\nFrom x\n")
        #expect(
            try directory.read("b").text
                == "From a@example.org Tue Nov 14 22:13:20 2023\nX-B: 1\nSubject: x\n\n>From x\n\n")
    }

    @Test("a member of a group that fails leaves nothing, and does not hurt the others")
    func oneFails() throws {
        let directory = try TestDirectory()
        try directory.write("blocked", "a file")
        let outcomes = try EventLoop.run { _ in
            let committer = GroupCommitter()
            return await withTaskGroup(of: Bool.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let bad = number % 4 == 0
                        let delivery = committer.begin(
                            plan([
                                (.maildir(directory.file("good")), ""),
                                (.maildir(directory.file(bad ? "blocked" : "other")), ""),
                            ]))
                        delivery.append(Array("number \(number)\n".utf8))
                        if case .success = await committer.commit([delivery]) { return true }
                        return false
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
        }
        #expect(outcomes == 30)
        #expect(directory.names("good/new").count == 30 && directory.names("other/new").count == 30)
        #expect(directory.names("good/tmp").isEmpty && directory.names("other/tmp").isEmpty)
    }

    @Test("a Maildir that is removed meanwhile is made anew")
    func removed() throws {
        let directory = try TestDirectory()
        try EventLoop.run { _ in
            let committer = GroupCommitter()
            for _ in 0..<2 {
                let delivery = committer.begin(plan([(.maildir(directory.file("m")), "")]))
                delivery.append(Array("x\n".utf8))
                try await committer.commit([delivery]).get()
                #expect(directory.names("m/new").count == 1)
                try Files.removeTree(directory.file("m"))
            }
        }
    }

    @Test("a delivery that is given up, or forgotten, leaves nothing")
    func aborted() throws {
        let directory = try TestDirectory()
        let committer = GroupCommitter()
        for isForgotten in [false, true] {
            let delivery = committer.begin(plan([(.maildir(directory.file("m")), "")]))
            delivery.append(Array("x\n".utf8))
            try delivery.writePending()
            #expect(directory.names("m/tmp").count == 1)
            if !isForgotten { delivery.abort() }
            if isForgotten { break }
            #expect(directory.names("m/tmp").isEmpty)
        }
        #expect(directory.names("m/tmp").isEmpty && directory.names("m/new").isEmpty)
    }

    @Test("a file that is no mbox is not appended to")
    func noMbox() throws {
        let directory = try TestDirectory()
        try directory.write("b", "precious data\n")
        let outcome = try EventLoop.run { _ in
            let committer = GroupCommitter()
            let delivery = committer.begin(
                plan([(.mbox(directory.file("b")), ""), (.maildir(directory.file("m")), "")]))
            delivery.append(Array("x\n".utf8))
            return await committer.commit([delivery])
        }
        #expect(throws: SystemError.self) { try outcome.get() }
        #expect(try directory.read("b").text == "precious data\n" && directory.names("m/new").isEmpty)
    }

    @Test(
        "a Return-Path that a message came with gives way where it is delivered, and stays where it goes on (RFC 5321 4.4)"
    )
    func returnPath() throws {
        let directory = try TestDirectory()
        let message =
            "Received: x\nRETURN-Path: <old@x>\n folded\nReturn-path:<older>\nSubject: y\n\nReturn-Path: <body>\n"
        let outcome = try EventLoop.run { _ in
            let committer = GroupCommitter()
            var plan = plan([
                (.maildir(directory.file("m")), "Return-Path: <a@b>\n"), (.mbox(directory.file("b")), "H: 1\n"),
            ])
            plan.queue = try Queue(directory.file("q"))
            plan.queued = [.init(QueuedEnvelope(reversePath: "a@b", recipients: [.init(path: "c@d")], arrival: 1))]
            let delivery = committer.begin(plan)
            delivery.append(Array(message.utf8))
            return await committer.commit([delivery])
        }
        try outcome.get()
        let kept = "Received: x\nSubject: y\n\nReturn-Path: <body>\n"
        let name = try #require(directory.names("m/new").first)
        #expect(try directory.read("m/new/\(name)").text == "Return-Path: <a@b>\n" + kept)
        #expect(try directory.read("b").text.hasSuffix("\nH: 1\n" + kept + "\n"))
        let queued = try #require(directory.names("q").first { $0.hasSuffix(".bsmtp") })
        #expect(try directory.read("q/\(queued)").text.contains(message.replacing("\n", with: "\r\n")))
        #expect(TraceFields.withoutReturnPath(Array("Return-Path: <a>".utf8)).isEmpty)
        #expect(TraceFields.withoutReturnPath(Array("A: b\nReturn-Path: <a>\n\nx".utf8)).text == "A: b\n\nx")
    }

    @Test("an mbox that another program holds keeps its own messages waiting, and nobody else's")
    func lockedMbox() throws {
        let directory = try TestDirectory()
        try directory.write("held", "")
        try directory.write("held.lock", "1")
        try EventLoop.run { _ in
            let committer = GroupCommitter()
            func send(_ target: DeliveryTarget) async throws {
                let delivery = committer.begin(self.plan([(target, "")]))
                delivery.append(Array("x\n".utf8))
                try await committer.commit([delivery]).get()
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 { group.addTask { try await send(.mbox(directory.file("held"))) } }
                try await EventLoop.sleep(for: .milliseconds(300))
                try await send(.maildir(directory.file("m")))
                try await send(.mbox(directory.file("free")))
                #expect(try directory.read("held").isEmpty && directory.names("m/new").count == 1)
                unlink(directory.file("held.lock"))
                try await group.waitForAll()
            }
        }
        #expect(try directory.read("held").text.split(separator: "From ").count == 40)
    }

    @Test("a spool holds what it was given, small and large")
    func spool() throws {
        try EventLoop.run { _ in
            for count in [0, 1, 10, 100] {
                let spool = SharedSpool()
                var expected: [UInt8] = []
                for number in 0..<count {
                    let piece = [UInt8](repeating: UInt8(number), count: 10_000)
                    expected += piece
                    try await spool.append(piece)
                }
                let content = try await spool.finish()
                #expect(content.bytes == expected && content.count == expected.count)
                #expect(content.withWhole { $0.array } == expected && spool.count == 0)
                let head = content.start(limit: 15_000)
                #expect(head == Array(expected.prefix(15_000)))
                #expect(content.below([1, 2]).dropping(5).bytes == Array(expected.dropFirst(3)))
                var parts = content.below(head).parts
                var read: [UInt8] = []
                while let part = parts.next() {
                    #expect(!part.isEmpty && part.count <= MessageContent.partSize)
                    read += part
                }
                #expect(read == head + expected)
            }
        }
    }

    @Test("Received fields name the client so that nothing it says can break them")
    func trace() throws {
        var fields = TraceFields(
            clientName: "x)\u{7}; y\u{e9}", clientAddress: try #require(SocketAddress("[2001:db8::1]:25")),
            serverName: "mx.example", transport: "ESMTPSA", security: "TLSv1.3 X", identifier: "Q1",
            onlyRecipient: Path(localPart: "b", domain: "c.d"))
        #expect(
            fields.received(epoch: 1_700_000_000, zone: 3_600).text == """
                Received: from x????y?? ([IPv6:2001:db8::1])
                \tby mx.example (Facteur) with ESMTPSA
                \t(using TLSv1.3 X) id Q1
                \tfor <b@c.d>;
                \tTue, 14 Nov 2023 23:13:20 +0100

                """)
        fields.clientName = "\"a\\b\" <c@d>"
        fields.onlyRecipient = Path(localPart: "Postmaster", domain: "")
        let postmaster = fields.received(epoch: 0, zone: 0).text
        #expect(postmaster.hasPrefix("Received: from ?a?b???c?d? ([IPv6:"))
        #expect(postmaster.contains("\n\tfor <Postmaster@mx.example>;\n"))
        let way = LoopGuard(
            Array("Received: x\nRECEIVED: y\nDelivered-To: <A@b.C>\nSubject: z\n\nReceived: no\n".utf8).span)
        #expect(way.receivedCount == 2 && !way.isTooLong())
        #expect(way.hasSeen(Path(localPart: "a", domain: "b.c")) && !way.hasSeen(Path(localPart: "z", domain: "b.c")))
        #expect(TraceFields.returnPath(.null).text == "Return-Path: <>\n")
    }
}
