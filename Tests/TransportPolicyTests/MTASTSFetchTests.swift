import Bytes
import DNS
import Network
import OpenSSL
import TestSupport
import Testing
import TransportPolicy
import Unix

@Suite("MTA-STS policies are fetched by HTTPS (RFC 8461 3.3)")
struct MTASTSFetchTests {
    static let policy = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n"
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var certificate = "policy-host.pem"
        var steps: [HTTPSTestServer.Step]
        /// Nil: the policy is had.
        var kind: MTASTSFailure.Kind?
        var words = ""
    }

    static let cases = [
        Case(
            testDescription: "a length", steps: [.send("\(head)Content-Length: \(policy.utf8.count)\r\n\r\n\(policy)")]),
        Case(testDescription: "up to the end of the connection", steps: [.send("\(head)\r\n\(policy)")]),
        Case(
            testDescription: "chunks, piece by piece",
            steps: [
                .send("\(head)Transfer-Encoding: chunked\r\n\r\n"), .pause(0.05),
                .send("5;x=y\r\nversi\r\n"), .send("\(String(policy.utf8.count - 5, radix: 16))\r\n"),
                .pause(0.05), .send(String(policy.dropFirst(5)) + "\r\n0\r\nx: y\r\n\r\n"), .pause(60),
            ]),
        Case(
            testDescription: "chunks that are cut",
            steps: [.send("\(head)Transfer-Encoding: chunked\r\n\r\n5\r\nversi\r\n"), .cut], kind: .refused,
            words: "cut short"),
        Case(
            testDescription: "an end without goodbye", steps: [.send("\(head)\r\n\(policy)"), .cut], kind: .refused,
            words: "cut short"),
        Case(
            testDescription: "shorter than its length",
            steps: [.send("\(head)Content-Length: 500\r\n\r\n\(policy)")], kind: .refused, words: "cut short"),
        Case(
            testDescription: "a certificate for another name", certificate: "other-name.pem", steps: [],
            kind: .refused, words: "mismatch"),
        Case(
            testDescription: "a name in the subject alone", certificate: "common-name.pem",
            steps: [.send("\(head)\r\n\(policy)")], kind: .refused, words: "subjectAltName"),
        Case(
            testDescription: "a certificate that has expired", certificate: "expired.pem", steps: [], kind: .refused,
            words: "expired"),
        Case(
            testDescription: "a redirection",
            steps: [.send("HTTP/1.1 301 Moved\r\nLocation: https://example.org/x\r\nContent-Length: 0\r\n\r\n")],
            kind: .refused, words: "redirects to https://example.org/x (301 Moved)"),
        Case(
            testDescription: "not found", steps: [.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")],
            kind: .refused, words: "answers 404 Not Found"),
        Case(
            testDescription: "a server in trouble", steps: [.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")],
            kind: .temporary, words: "answers 503 Busy"),
        Case(
            testDescription: "another type",
            steps: [.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n\(policy)")], kind: .refused,
            words: "text/html, not text/plain"),
        Case(
            testDescription: "no type", steps: [.send("HTTP/1.1 200 OK\r\n\r\n\(policy)")], kind: .refused,
            words: "no type"),
        Case(
            testDescription: "a length that is too large", steps: [.send("\(head)Content-Length: 65537\r\n\r\n")],
            kind: .refused, words: "more than 65536 bytes"),
        Case(
            testDescription: "a body without end",
            steps: [.send("\(head)\r\n\(String(repeating: "x: y\n", count: 20_000))")], kind: .refused,
            words: "more than 65536 bytes"),
        Case(
            testDescription: "a server that lets wait",
            steps: [.send(head)] + (0..<50).flatMap { _ in [.send("x: y\r\n"), .pause(0.2)] },
            kind: .temporary, words: "no answer in time"),
        Case(
            testDescription: "no HTTP", steps: [.send("220 mx.example.org ESMTP\r\n")], kind: .refused, words: "no HTTP"
        ),
        Case(testDescription: "nothing", steps: [], kind: .refused, words: "no response"),
        Case(
            testDescription: "no policy", steps: [.send("\(head)\r\nversion: STSv1\nmode: enforce\nmax_age: 1\n")],
            kind: .invalid, words: "there is no mx"),
    ]

    static let zone = """
        mta-sts.example.org.  A 127.0.0.1
        mta-sts.example.net.  MX 0 .
        mta-sts.example.com.  SERVFAIL
        """

    private func fetch(_ domain: String, port: UInt16, timeLimit: Duration = .seconds(60)) throws -> MTASTSPolicy {
        let context = try TLSContext(authorities: TestData.path("authority.pem"))
        let zone = try Zone(parsing: Array(Self.zone.utf8), name: "zone")
        return try EventLoop.run { _ in
            var fetch = HTTPSFetch(context: context)
            fetch.port = port
            fetch.timeLimit = timeLimit
            return try await MTASTSFetch(Resolver(.zone(zone)), fetch).policy(of: domain)
        }
    }

    @Test("servers that answer in every way", arguments: cases)
    func answers(_ test: Case) throws {
        let server = try HTTPSTestServer(TestData.path(test.certificate)) { _ in test.steps }
        let limit: Duration = test.words == "no answer in time" ? .seconds(3) : .seconds(60)
        guard let kind = test.kind else {
            let policy = try fetch("example.org", port: server.port, timeLimit: limit)
            #expect(policy.mode == .enforce && policy.patterns == ["mx.example.org"] && policy.maximumAge == 604_800)
            #expect(
                server.requests.first?.hasPrefix("GET /.well-known/mta-sts.txt HTTP/1.1\nHost: mta-sts.example.org\n")
                    == true)
            return
        }
        let failure = #expect(throws: MTASTSFailure.self) {
            try fetch("example.org", port: server.port, timeLimit: limit)
        }
        #expect(
            failure?.kind == kind && failure?.description.contains(test.words) == true, "\(String(describing: failure))"
        )
    }

    @Test("an authority that is not trusted, a port that nobody listens on, names that are not there")
    func unreachable() throws {
        let server = try HTTPSTestServer(TestData.path("policy-host.pem")) { _ in [.send("\(Self.head)\r\n")] }
        let zone = try Zone(parsing: Array(Self.zone.utf8), name: "zone")
        let port = server.port
        let failure = #expect(throws: MTASTSFailure.self) {
            try EventLoop.run { _ in
                var fetch = HTTPSFetch(context: try TLSContext(authorities: TestData.path("other-name.pem")))
                fetch.port = port
                return try await MTASTSFetch(Resolver(.zone(zone)), fetch).policy(of: "example.org")
            }
        }
        #expect(
            failure?.kind == .refused && failure?.description.contains("issuer") == true,
            "\(String(describing: failure))")
        for (domain, kind) in [
            ("example.net", MTASTSFailure.Kind.refused), ("example.edu", .refused), ("example.com", .temporary),
        ] {
            let failure = #expect(throws: MTASTSFailure.self) { try fetch(domain, port: 1) }
            #expect(failure?.kind == kind)
        }
        let refused = #expect(throws: MTASTSFailure.self) { try fetch("example.org", port: 1) }
        #expect(refused?.kind == .refused && refused?.description.contains("127.0.0.1:1") == true)
    }
}
