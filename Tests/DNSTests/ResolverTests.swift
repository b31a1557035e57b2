import DNS
import TestSupport
import Testing
import Unix

typealias Action = DNSTestServer.Action
typealias Handler = @Sendable (DNSRequest) -> [Action]

/// The honest answer: MX, A and AAAA of example.org and its host.
func honest(_ request: DNSRequest) -> DNSReply {
    switch (request.name.lowercased(), request.type) {
    case ("example.org", 15): return DNSReply(to: request, answers: [DNSReply.mx("example.org", 10, "mx.example.org")])
    case ("mx.example.org", 1): return DNSReply(to: request, answers: [DNSReply.a("mx.example.org", [192, 0, 2, 1])])
    case ("example.org", _), ("mx.example.org", _):
        var reply = DNSReply(to: request)
        reply.authority = [DNSReply.soa("example.org")]
        return reply
    default:
        var reply = DNSReply(to: request, code: 3)
        reply.authority = [DNSReply.soa("example.org")]
        return reply
    }
}

/// A configuration for servers on loopback, quick enough for tests.
func configuration(_ servers: [DNSTestServer], milliseconds: Int = 150) -> ResolverConfiguration {
    var configuration = ResolverConfiguration(servers: servers.map { .ip(.loopback4, port: $0.port) })
    configuration.timeout = .milliseconds(milliseconds)
    return configuration
}

/// One lookup of MX at servers.
func lookup(
    _ name: String, _ type: RecordType, _ configuration: ResolverConfiguration
) throws -> Answer {
    try EventLoop.run { _ in await Resolver(.servers(configuration)).lookup(name, type) }
}

/// The hosts of an MX answer; or the other outcomes in a word.
func word(_ answer: Answer) -> String {
    switch answer.outcome {
    case .records(let records):
        records.map { record in
            switch record.data {
            case .exchange(let preference, let host): "\(preference) \(host)"
            case .address(let address): "\(address)"
            default: "\(record.type)"
            }
        }.joined(separator: ", ")
    case .noData: "nodata"
    case .noSuchDomain: "nxdomain"
    case .temporaryFailure: "tempfail"
    }
}

struct Behaviour: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let wanted: String
    let handler: Handler
    init(_ name: String, _ wanted: String, _ handler: @escaping Handler) {
        testDescription = name
        self.wanted = wanted
        self.handler = handler
    }
}

/// The honest answer with a change.
func changed(_ change: @escaping @Sendable (inout DNSReply, DNSRequest) -> Void) -> Handler {
    { request in
        var reply = honest(request)
        change(&reply, request)
        return [.send(reply.bytes)]
    }
}

@Suite("The stub resolver")
struct ResolverTests {
    static let good = "10 mx.example.org"
    static let evil = [DNSReply.mx("example.org", 1, "evil.example")]

    /// Every forged answer comes before the honest one.
    static let forgeries: [(String, @Sendable (inout DNSReply, DNSRequest) -> Void)] = [
        ("another id", { reply, _ in reply.id[0] ^= 1 }),
        ("not a response", { reply, _ in reply.flags &= 0x7FFF }),
        ("another operation", { reply, _ in reply.flags |= 0x2000 }),
        ("another name", { reply, _ in reply.question[1] ^= 1 }),
        ("another type", { reply, _ in reply.question[reply.question.count - 3] = 16 }),
        ("another class", { reply, _ in reply.question[reply.question.count - 1] = 3 }),
        (
            "two questions",
            { reply, request in
                reply.question += request.question
                reply.questionCount = 2
            }
        ),
        (
            "no question",
            { reply, _ in
                reply.question = []
                reply.questionCount = 0
            }
        ),
        (
            "no question, NXDOMAIN",
            { reply, _ in
                reply.question = []
                reply.questionCount = 0
                reply.flags |= 3
                reply.answers = []
            }
        ),
        ("a longer name", { reply, _ in reply.question = [1, 97] + reply.question }),
    ]

    @Test("what does not match the query is ignored, and waiting goes on (RFC 5452 9)", arguments: forgeries.indices)
    func forged(_ index: Int) throws {
        let server = try DNSTestServer { request in
            var forged = honest(request)
            forged.answers = ResolverTests.evil
            ResolverTests.forgeries[index].1(&forged, request)
            return [.send(forged.bytes), .send([1, 2, 3]), .send(honest(request).bytes)]
        }
        defer { server.stop() }
        #expect(word(try lookup("example.org", .mx, configuration([server]))) == ResolverTests.good)
        #expect(server.requests.count == 1)
    }

    @Test("an answer from another port is ignored")
    func otherPort() throws {
        let server = try DNSTestServer { request in
            let forged = DNSReply(to: request, answers: ResolverTests.evil)
            return [.sendFromElsewhere(forged.bytes), .send(honest(request).bytes)]
        }
        defer { server.stop() }
        #expect(word(try lookup("example.org", .mx, configuration([server]))) == ResolverTests.good)
    }

    static let behaviours = [
        Behaviour("an honest answer", good, changed { _, _ in }),
        Behaviour(
            "the name in another case", good,
            changed { reply, _ in
                reply.question = reply.question.map { $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 }
                reply.answers = [DNSReply.mx("EXAMPLE.Org", 10, "MX.example.ORG")]
            }),
        Behaviour(
            "compressed names", good,
            changed { reply, _ in
                reply.answers = [DNSReply.mx("*", 10, "mx.*")]
            }),
        Behaviour(
            "records of other owners", good,
            changed { reply, _ in
                reply.answers += [
                    DNSReply.mx("example.net", 1, "evil.example"), DNSReply.a("example.org", [1, 2, 3, 4]),
                ]
            }),
        Behaviour(
            "records of another class", good,
            changed { reply, _ in
                reply.answers.append(
                    DNSReply.record("example.org", 15, [0, 1] + DNSReply.name("evil.example"), class: 3))
            }),
        Behaviour(
            "MX in the authority section only", "nodata",
            changed { reply, _ in
                reply.authority = reply.answers + [DNSReply.soa("example.org")]
                reply.answers = []
            }),
        Behaviour("junk after the last record", good, changed { reply, _ in reply.trailer = [1, 2, 3] }),
        Behaviour(
            "a chain of aliases", good,
            changed { reply, _ in
                reply.answers = [
                    DNSReply.cname("example.org", "b.example"), DNSReply.cname("b.example", "c.example"),
                    DNSReply.mx("c.example", 10, "mx.example.org"),
                ]
            }),
        Behaviour(
            "a chain out of order", good,
            changed { reply, _ in
                reply.answers = [
                    DNSReply.mx("c.example", 10, "mx.example.org"), DNSReply.cname("b.example", "c.example"),
                    DNSReply.cname("example.org", "b.example"),
                ]
            }),
        Behaviour("a chain that was cut", good) { request in
            if request.name == "c.example" {
                let answers = [DNSReply.mx("c.example", 10, "mx.example.org")]
                return [.send(DNSReply(to: request, answers: answers).bytes)]
            }
            return [.send(DNSReply(to: request, answers: [DNSReply.cname("example.org", "c.example")]).bytes)]
        },
        Behaviour(
            "a loop of aliases", "tempfail",
            changed { reply, _ in
                reply.answers = [
                    DNSReply.cname("example.org", "b.example"), DNSReply.cname("b.example", "example.org"),
                ]
            }),
        Behaviour("an endless chain", "tempfail") { request in
            let next = "a" + request.name
            return [.send(DNSReply(to: request, answers: [DNSReply.cname(request.name, next)]).bytes)]
        },
        Behaviour(
            "an alias to nowhere", "nxdomain",
            changed { reply, _ in
                reply.answers = [DNSReply.cname("example.org", "gone.example")]
                reply.flags |= 3
            }),
        Behaviour(
            "NXDOMAIN", "nxdomain",
            changed { reply, _ in
                reply.answers = []
                reply.flags |= 3
            }),
        Behaviour(
            "no data", "nodata",
            changed { reply, _ in
                reply.answers = []
                reply.authority = [DNSReply.soa("example.org")]
            }),
        Behaviour("no data without SOA from a resolver", "nodata", changed { reply, _ in reply.answers = [] }),
        Behaviour(
            "a referral", "tempfail",
            changed { reply, _ in
                reply.answers = []
                reply.authority = [DNSReply.record("org", 2, DNSReply.name("ns.org"))]
            }),
        Behaviour(
            "neither authority nor recursion", "tempfail",
            changed { reply, _ in
                reply.answers = []
                reply.flags = 0x8100
            }),
        Behaviour(
            "SERVFAIL", "tempfail",
            changed { reply, _ in
                reply.answers = []
                reply.flags |= 2
            }),
        Behaviour("SERVFAIL with records", "tempfail", changed { reply, _ in reply.flags |= 2 }),
        Behaviour("REFUSED", "tempfail", changed { reply, _ in reply.flags |= 5 }),
        Behaviour("an unknown code", "tempfail", changed { reply, _ in reply.flags |= 11 }),
        Behaviour("silence", "tempfail") { _ in [] },
        Behaviour("only garbage", "tempfail") { _ in [.send([]), .send([0]), .send(Array(repeating: 255, count: 600))]
        },
        Behaviour("an answer count too high", "tempfail", changed { reply, _ in reply.counts = [1, 9, 0, 0] }),
        Behaviour(
            "record data too short", "tempfail",
            changed { reply, _ in
                reply.answers = [DNSReply.record("example.org", 15, [0, 10])]
            }),
        Behaviour(
            "record data with a rest", "tempfail",
            changed { reply, _ in
                reply.answers = [DNSReply.record("example.org", 15, [0, 10] + DNSReply.name("mx.example.org") + [0])]
            }),
        Behaviour(
            "record data past the end", "tempfail",
            changed { reply, _ in
                reply.answers = [DNSReply.record("example.org", 15, [0, 10, 0], length: 4_000)]
            }),
        Behaviour(
            "a pointer to itself", "tempfail",
            changed { reply, _ in
                let place = UInt8(12 + reply.question.count)
                reply.answers = [[0xC0, place, 0, 15, 0, 1, 0, 0, 0, 9, 0, 3, 0, 1, 0]]
            }),
        Behaviour(
            "a pointer forwards", "tempfail",
            changed { reply, _ in
                let place = UInt8(12 + reply.question.count)
                reply.answers = [[0xC0, place + 12, 0, 15, 0, 1, 0, 0, 0, 9, 0, 3, 0, 1, 0]]
            }),
        Behaviour(
            "an extended label", "tempfail",
            changed { reply, _ in
                reply.answers = [[0x41, 1, 0, 0, 15, 0, 1, 0, 0, 0, 9, 0, 3, 0, 1, 0]]
            }),
        Behaviour(
            "two OPT records", "tempfail",
            changed { reply, _ in
                reply.additional = [[0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0], [0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0]]
            }),
        Behaviour(
            "unknown EDNS options and a client subnet", good,
            changed { reply, _ in
                reply.additional = [[0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 9, 0, 8, 0, 5, 0, 1, 8, 0, 10]]
            }),
        Behaviour(
            "an extended code in OPT", "tempfail",
            changed { reply, _ in
                reply.additional = [[0, 0, 41, 4, 0, 1, 0, 0, 0, 0, 0]]
            }),
        Behaviour("FORMERR to EDNS", good) { request in
            [.send(request.hasOptions ? DNSReply(to: request, code: 1).bytes : honest(request).bytes)]
        },
        Behaviour("FORMERR without a question to EDNS", good) { request in
            if !request.hasOptions { return [.send(honest(request).bytes)] }
            var reply = DNSReply(to: request, code: 1)
            reply.question = []
            reply.questionCount = 0
            return [.send(reply.bytes)]
        },
        Behaviour("NOTIMP to EDNS", good) { request in
            [.send(request.hasOptions ? DNSReply(to: request, code: 4).bytes : honest(request).bytes)]
        },
        Behaviour("BADVERS to EDNS", good) { request in
            var reply = DNSReply(to: request)
            reply.additional = [[0, 0, 41, 4, 0, 1, 0, 0, 0, 0, 0]]
            return [.send(request.hasOptions ? reply.bytes : honest(request).bytes)]
        },
        Behaviour("silence to EDNS", good) { request in request.hasOptions ? [] : [.send(honest(request).bytes)] },
        Behaviour("SERVFAIL once", good) { request in
            [.send(request.number == 0 ? DNSReply(to: request, code: 2).bytes : honest(request).bytes)]
        },
        Behaviour("truncated, whole over TCP", good) { request in truncated(request, [.send(honest(request).bytes)]) },
        Behaviour("truncated in the middle of a record", good) { request in
            if request.isTCP { return [.send(honest(request).bytes)] }
            var reply = honest(request)
            reply.flags |= 0x0200
            return [.send(Array(reply.bytes.dropLast(9)))]
        },
        Behaviour("truncated over TCP too", good) { request in
            var reply = honest(request)
            reply.flags |= 0x0200
            return [.send(reply.bytes)]
        },
        Behaviour("TCP in pieces", good) { request in
            let bytes = honest(request).bytes
            return truncated(
                request, [.raw([0]), .raw([UInt8(bytes.count)]), .raw(Array(bytes[..<9])), .raw(Array(bytes[9...]))])
        },
        Behaviour("TCP closed at once", "tempfail") { request in truncated(request, [.close]) },
        Behaviour("TCP closed early", "tempfail") { request in
            truncated(request, [.raw(Array([0, 200] + honest(request).bytes)), .close])
        },
        Behaviour("a runt over TCP", "tempfail") { request in truncated(request, [.raw([0, 3, 1, 2, 3])]) },
        Behaviour("an empty message over TCP", "tempfail") { request in truncated(request, [.raw([0, 0])]) },
        Behaviour("another id over TCP, then the right one", good) { request in
            var forged = DNSReply(to: request, answers: evil)
            forged.id[1] ^= 255
            return truncated(request, [.send(forged.bytes), .send(honest(request).bytes)])
        },
        Behaviour(
            "a TTL with the top bit set is 0", good,
            changed { reply, _ in
                reply.answers = [
                    DNSReply.record("example.org", 15, [0, 10] + DNSReply.name("mx.example.org"), ttl: 1 << 31)
                ]
            }),
    ]

    /// Truncated over UDP; over TCP what is given.
    static func truncated(_ request: DNSRequest, _ actions: [Action]) -> [Action] {
        if request.isTCP { return actions }
        var reply = DNSReply(to: request)
        reply.flags |= 0x0200
        return [.send(reply.bytes)]
    }

    @Test("servers that answer in every way", arguments: behaviours)
    func behaviour(_ behaviour: Behaviour) throws {
        let server = try DNSTestServer(behaviour.handler)
        defer { server.stop() }
        #expect(word(try lookup("example.org", .mx, configuration([server]))) == behaviour.wanted)
    }

    @Test("a failure names what happened, where, and after how many tries")
    func reasons() throws {
        let server = try DNSTestServer { [.send(DNSReply(to: $0, code: 2).bytes)] }
        defer { server.stop() }
        let failure = try lookup("example.org", .mx, configuration([server])).temporaryFailure
        #expect(failure?.description == "SERVFAIL from 127.0.0.1:\(server.port), 2 tries")
    }

    @Test("the next server is asked when one fails, and NXDOMAIN is final")
    func nextServer() throws {
        let bad = try DNSTestServer { [.send(DNSReply(to: $0, code: 5).bytes)] }
        let good = try DNSTestServer { [.send(honest($0).bytes)] }
        let none = try DNSTestServer { [.send(DNSReply(to: $0, code: 3).bytes)] }
        defer { for server in [bad, good, none] { server.stop() } }
        #expect(word(try lookup("example.org", .mx, configuration([bad, good]))) == ResolverTests.good)
        #expect(word(try lookup("example.org", .mx, configuration([none, good]))) == "nxdomain")
        #expect(good.requests.count == 1)
    }

    @Test("a dead server goes last for the rest of the run")
    func health() throws {
        let dead = try DNSTestServer { _ in [] }
        let good = try DNSTestServer { [.send(honest($0).bytes)] }
        defer { for server in [dead, good] { server.stop() } }
        let settings = configuration([dead, good])
        try EventLoop.run { _ in
            let resolver = Resolver(.servers(settings))
            for number in 0..<5 { _ = await resolver.lookup("n\(number).example", .mx) }
        }
        #expect(dead.requests.count == 1 && good.requests.count == 5)
    }

    @Test("a refused port moves on at once")
    func refusedPort() throws {
        let gone = try DNSTestServer { _ in [] }
        let good = try DNSTestServer { [.send(honest($0).bytes)] }
        defer { good.stop() }
        var settings = configuration([gone, good], milliseconds: 20_000)
        gone.stop()
        usleepForServer()
        settings.attempts = 1
        let start = ContinuousClock.now
        #expect(word(try lookup("example.org", .mx, settings)) == ResolverTests.good)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("TCP only")
    func overTCP() throws {
        let server = try DNSTestServer { [.send(honest($0).bytes)] }
        defer { server.stop() }
        var settings = configuration([server], milliseconds: 2_000)
        settings.usesTCP = true
        #expect(word(try lookup("example.org", .mx, settings)) == ResolverTests.good)
        let isStream = server.requests.map(\.isTCP)
        #expect(!isStream.contains(false))
    }

    @Test("mixed case is wanted back, and given up when a server folds it")
    func mixedCase() throws {
        let keeps = try DNSTestServer { [.send(honest($0).bytes)] }
        let folds = try DNSTestServer { request in
            var reply = honest(request)
            reply.question = reply.question.map { $0 >= 65 && $0 <= 90 ? $0 + 32 : $0 }
            return [.send(reply.bytes)]
        }
        defer { for server in [keeps, folds] { server.stop() } }
        for (server, queries) in [(keeps, 1), (folds, 2)] {
            var settings = configuration([server])
            settings.mixesCase = true
            let name = "a-rather-long-name-with-many-letters.example.org"
            #expect(word(try lookup(name, .mx, settings)) == "nxdomain")
            #expect(server.requests.count == queries)
            #expect(server.requests[0].name != name)
        }
    }

    @Test("one question at a time for many tasks, and answers are kept for their TTL")
    func coalescing() throws {
        let server = try DNSTestServer { [.send(honest($0).bytes)] }
        defer { server.stop() }
        let settings = configuration([server], milliseconds: 2_000)
        let good = try EventLoop.run { _ in
            let resolver = Resolver(.servers(settings))
            let count = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<50 { group.addTask { !(await resolver.lookup("example.org", .mx)).records.isEmpty } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            _ = await resolver.lookup("EXAMPLE.org.", .mx)
            return count
        }
        #expect(good == 50 && server.requests.count == 1)
    }

    @Test("many names at a time, each with its own answer")
    func many() throws {
        let server = try DNSTestServer { request in
            [.send(DNSReply(to: request, answers: [DNSReply.mx("*", 1, "mx.\(request.name)")]).bytes)]
        }
        defer { server.stop() }
        let settings = configuration([server], milliseconds: 2_000)
        let good = try EventLoop.run { _ in
            let resolver = Resolver(.servers(settings))
            return await withTaskGroup(of: Bool.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        word(await resolver.lookup("n\(number).example", .mx)) == "1 mx.n\(number).example"
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(good == 1_000)
    }

    @Test("a whole route over servers, and hosts of the hosts file")
    func route() throws {
        let server = try DNSTestServer { [.send(honest($0).bytes)] }
        defer { server.stop() }
        let settings = configuration([server], milliseconds: 2_000)
        let hosts = HostsFile(parsing: Array("# none\n10.1.2.3 MX.example.org other # x\nbad line\n".utf8))
        let (plain, known) = try EventLoop.run { _ in
            (
                await Resolver(.servers(settings)).mailRoute(for: "example.org"),
                await Resolver(.servers(settings), hosts: hosts).mailRoute(for: "example.org")
            )
        }
        #expect(lines(plain) == ["10 mx.example.org 192.0.2.1"] && plain.ttl == 300)
        #expect(plain.server == "127.0.0.1:\(server.port)")
        #expect(lines(known) == ["10 mx.example.org 10.1.2.3"])
    }

    @Test("the word of a loopback server that an answer was verified is believed")
    func authenticated() throws {
        let server = try DNSTestServer(
            changed { reply, request in
                // AD only when it was asked for (RFC 6840 5.7).
                if request.bytes[3] & 0x20 != 0 { reply.flags |= 0x20 }
            })
        defer { server.stop() }
        #expect(try lookup("example.org", .mx, configuration([server])).isAuthenticated)
    }

    @Test("the end of the run ends waiting")
    func deadline() throws {
        let server = try DNSTestServer { _ in [] }
        defer { server.stop() }
        let settings = configuration([server], milliseconds: 20_000)
        let start = ContinuousClock.now
        let answer = try EventLoop.run { _ in
            await Resolver(.servers(settings), deadline: .now + .milliseconds(100)).lookup("example.org", .mx)
        }
        #expect(word(answer) == "tempfail" && ContinuousClock.now - start < .seconds(10))
    }
}

/// Gives a server that was stopped the time to close its sockets.
func usleepForServer() {
    let end = ContinuousClock.now + .milliseconds(200)
    while ContinuousClock.now < end {}
}
