import Bytes
import Network
import TestSupport
import Testing

@Suite("HTTP responses (RFC 9112)")
struct HTTPResponseTests {
    private func read(_ text: String, isProper: Bool = true, limit: Int = 100) throws -> HTTPResponse {
        // In pieces of every size it is the same response.
        let bytes = Array(text.utf8)
        var results: [Result<HTTPResponse, any Error>] = []
        for size in [bytes.count, 1, 2, 7] {
            results.append(
                Result {
                    var reader = HTTPResponseReader(limit: limit)
                    var place = 0
                    while place < bytes.count, !reader.isComplete {
                        let end = min(place + max(1, size), bytes.count)
                        try reader.receive(Array(bytes[place..<end]))
                        place = end
                    }
                    return try reader.finish(isProper: isProper)
                })
        }
        let first = try? results[0].get()
        for result in results.dropFirst() { #expect((try? result.get()) == first, "\(text)") }
        return try results[0].get()
    }

    @Test("status, fields and a body by its length, its chunks or the end of the connection (6.3)")
    func bodies() throws {
        let counted = try read("HTTP/1.1 200 OK then\r\nX-A:  b \r\nContent-Length: 2\r\n\r\nabc")
        #expect(counted.status == 200 && counted.reason == "OK then" && counted.body == Array("ab".utf8))
        #expect(counted.field("x-a") == "b" && counted.field("x-b") == nil)
        #expect(try read("HTTP/1.0 404\n\nabc").body == Array("abc".utf8))
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nt: u\r\n\r\n"
        #expect(try read(chunked).body == Array("ab0123456789".utf8))
        #expect(try read("HTTP/1.1 204 No\r\n\r\n").body.isEmpty)
        #expect(try read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").body == [120])
        #expect(try read("HTTP/1.1 200 OK\r\nContent-Type: Text/Plain;x=y\r\n\r\n").mediaType == "text/plain")
    }

    /// What is refused.
    static let bad = [
        "", "SSH-2.0-x\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 101), "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 6_000) + "\r\n",
    ]

    @Test("what is no response, cut, or larger than allowed", arguments: bad)
    func refused(_ text: String) { #expect(throws: HTTPError.self) { try read(text) } }

    @Test("an end that the other side did not tell of cuts a body without a length (8)")
    func cut() throws {
        #expect(throws: HTTPError.self) { try read("HTTP/1.1 200 OK\r\n\r\nabc", isProper: false) }
        #expect(try read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", isProper: false).body.count == 3)
    }

    @Test("mutated responses give a response or an error")
    func mutations() {
        var random = SeededGenerator(seed: 9_112)
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nab\r\n\r\n\r\n0\r\n\r\n"
        for _ in 0..<1_000 {
            var reader = HTTPResponseReader(limit: 20)
            do {
                try reader.receive(random.mutated(Array(text.utf8)))
                #expect(try reader.finish(isProper: true).body.count <= 20)
            } catch {}
        }
    }
}
