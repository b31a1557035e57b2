import Bytes
import OpenSSL
import TestSupport
import Testing

@testable import SenderAuthentication

@Suite struct BodyHasherTests {
    /// RFC 6376 3.4.3 and 3.4.4 as they are written, line by line; a LF ends a line as CRLF does.
    private static func canonical(_ body: [UInt8], _ form: Canonicalization) -> [UInt8] {
        var lines: [[UInt8]] = [[]]
        for byte in body {
            if byte == ASCII.lf {
                if lines[lines.count - 1].last == ASCII.cr { lines[lines.count - 1].removeLast() }
                lines.append([])
            } else {
                lines[lines.count - 1].append(byte)
            }
        }
        if form == .relaxed {
            lines = lines.map { line in
                var result: [UInt8] = []
                for byte in line {
                    if !byte.isSpaceOrTab {
                        result.append(byte)
                    } else if result.last != ASCII.space {
                        result.append(ASCII.space)
                    }
                }
                if result.last == ASCII.space { result.removeLast() }
                return result
            }
        }
        while lines.last == [] { lines.removeLast() }
        if lines.isEmpty { return form == .simple ? [ASCII.cr, ASCII.lf] : [] }
        return lines.flatMap { $0 + [ASCII.cr, ASCII.lf] }
    }

    @Test(
        "the hash is that of the canonical body, whatever the pieces and the line ends",
        arguments: [
            Canonicalization.simple, .relaxed,
        ])
    func agrees(_ form: Canonicalization) throws {
        var generator = SeededGenerator(seed: 11)
        let words: [[UInt8]] = [
            [ASCII.cr, ASCII.lf], [ASCII.lf], [ASCII.cr], [ASCII.space], [ASCII.tab], Array("word".utf8),
            Array("a line of some length that is longer than a vector".utf8), [0], [0x0B], [0xFF],
            Array(repeating: UInt8(ascii: "x"), count: 1_500),
        ]
        for round in 0..<1_500 {
            var body: [UInt8] = []
            for _ in 0..<Int(generator.next() % 24) { body += words[Int(generator.next() % UInt64(words.count))] }
            if round % 3 == 0 { body = body.flatMap { $0 == ASCII.lf ? [ASCII.cr, ASCII.lf] : [$0] } }
            let wanted = Self.canonical(body, form)
            let limit = Int(generator.next() % UInt64(wanted.count + 2))
            let hasher = try BodyHasher(form, limits: [nil, limit], body.span, body: 0..<body.count)
            let step = Int(generator.next() % 40) + 1
            for end in stride(from: step, through: body.count, by: step) { hasher.advance(body.span, to: end) }
            let (hashes, count) = hasher.finish(body.span)
            let whole = try Digest.hash(.sha256, wanted)
            let start = try Digest.hash(.sha256, Array(wanted.prefix(limit)))
            #expect(count == wanted.count)
            #expect(hashes.map(\.hash) == [whole, start])
        }
    }

    @Test("RFC 6376 3.4.5: the examples")
    func examples() throws {
        let body = Array(" C \r\nD \t E\r\n\r\n\r\n".utf8)
        for (form, wanted) in [(Canonicalization.relaxed, " C\r\nD E\r\n"), (.simple, " C \r\nD \t E\r\n")] {
            let hasher = try BodyHasher(form, limits: [nil], body.span, body: 0..<body.count)
            let hash = hasher.finish(body.span).hashes.first?.hash
            let wantedHash = try Digest.hash(.sha256, Array(wanted.utf8))
            #expect(hash == wantedHash)
        }
        let header = Array("A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n".utf8)
        var text = HeaderText()
        for field in SignedHeader(header.span).fields { text.append(field, .relaxed, header.span) }
        #expect(text.bytes.text == "a:X\r\nb:Y Z\r\n")
    }
}
