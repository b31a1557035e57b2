import Bytes
import Network
import Synchronization
import TestSupport
import Testing
import Unix

@testable import DNS

/// Many queries over few sockets.
@Suite("Queries over UDP")
struct DatagramTransportTests {
    private func configuration(_ server: DNSTestServer, milliseconds: Int = 2_000) throws -> ResolverConfiguration {
        let address = try #require(SocketAddress("127.0.0.1:\(server.port)"))
        var configuration = ResolverConfiguration(servers: [address])
        configuration.timeout = .milliseconds(milliseconds)
        return configuration
    }

    private func answer(_ request: DNSRequest) -> DNSTestServer.Action {
        .send(DNSReply(to: request, answers: [DNSReply.mx("*", 1, "mx.\(request.name)")]).bytes)
    }

    /// How many of so many names were found, all asked at the same time.
    private func found(_ names: Range<Int>, _ resolver: Resolver) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            for number in names {
                group.addTask { !(await resolver.lookup("n\(number).example", .mx)).records.isEmpty }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    @Test(
        "a datagram that got lost is sent once more long before the time is over, when the server is known to be fast")
    func loss() throws {
        let lost = Mutex<Set<String>>([])
        let server = try DNSTestServer { request in
            // The first copy of every tenth question from the 200th on is lost.
            let number = Int(request.name.dropFirst().prefix { $0 != "." }) ?? 0
            if number >= 200, number % 10 == 0, lost.withLock({ $0.insert(request.name).inserted }) { return [] }
            return [self.answer(request)]
        }
        defer { server.stop() }
        let settings = try configuration(server, milliseconds: 30_000)
        let start = ContinuousClock.now
        let (first, rest) = try EventLoop.run { _ in
            let resolver = Resolver(.servers(settings))
            return (await self.found(0..<200, resolver), await self.found(200..<600, resolver))
        }
        #expect(first == 200 && rest == 400)
        #expect(lost.withLock { $0.count } == 40)
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test("a few queries have a socket each, many share sockets that are replaced (RFC 5452 9.2)")
    func ports() throws {
        let server = try DNSTestServer { [self.answer($0)] }
        defer { server.stop() }
        let settings = try configuration(server)
        let (few, many) = try EventLoop.run { _ in
            let resolver = Resolver(.servers(settings))
            var few = 0
            for number in 0..<10 { few += await self.found(number..<(number + 1), resolver) }
            return (few, await self.found(10..<3_010, resolver))
        }
        #expect(few == 10 && many == 3_000)
        let ports = server.requests.map(\.clientPort)
        #expect(Set(ports.prefix(10)).count == 10)
        #expect(Set(ports).count >= 20 && Set(ports).count < 1_500)
    }

    @Test("a server that cut an answer short is not asked over UDP again (RFC 7766 5)")
    func afterTruncation() throws {
        let server = try DNSTestServer { request in
            if request.isTCP { return [.close] }
            var reply = DNSReply(to: request)
            reply.flags |= 0x0200
            return [.send(reply.bytes)]
        }
        defer { server.stop() }
        let settings = try configuration(server)
        let answer = try EventLoop.run { _ in await Resolver(.servers(settings)).lookup("example.org", .mx) }
        #expect(answer.temporaryFailure != nil)
        #expect(server.requests.map(\.isTCP) == [false, true, true])
    }

    @Test("DO is set for TLSA alone (RFC 3225 3)")
    func wantsSignatures() throws {
        let name = try DomainName("example.org")
        for (type, flag) in [(RecordType.tlsa, UInt8(0x80)), (.mx, 0), (.a, 0)] {
            let bytes = Query(id: 1, name: name, type: type, hasOptions: true).bytes
            #expect(bytes[bytes.count - 4] == flag)
        }
    }

    @Test("answers are kept for their time, and never more than a set number of them")
    func cache() throws {
        var cache = AnswerCache(limit: 100)
        let now = ContinuousClock.now
        let questions = try (0..<1_000).map { Question(name: try DomainName("n\($0).example"), type: .mx) }
        for question in questions {
            cache.store(Answer(.noData, canonicalName: question.name, ttl: 60), for: question, at: now)
            // One that is asked for again and again stays.
            if question != questions[0] { #expect(cache.answer(to: questions[0], at: now) != nil) }
        }
        #expect(cache.count <= 100)
        let last = try #require(questions.last)
        #expect(cache.answer(to: last, at: now + .seconds(59)) != nil)
        #expect(cache.answer(to: last, at: now + .seconds(61)) == nil)
        cache.store(Answer(.noData, canonicalName: last.name, ttl: 0), for: last, at: now + .seconds(70))
        #expect(cache.answer(to: last, at: now + .seconds(70)) == nil)
    }
}
