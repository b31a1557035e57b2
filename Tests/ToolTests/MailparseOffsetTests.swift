import Bytes
import Foundation
import OpenSSL
import TestSupport
import Testing

/// Messages made at random, of which every place is known, and what mailparse says of them.
@Suite("mailparse: offsets and JSON of generated messages") struct MailparseOffsetTests {
    struct Field: Equatable {
        let name: String
        let offset: Int
        let length: Int
    }

    struct Part {
        var type: String?
        var fields: [Field] = []
        var headerOffset = 0
        var bodyOffset = 0
        var bodyEnd = 0
        /// Of a leaf, decoded.
        var content: [UInt8]?
        var isMessage = false
        var parts: [Part] = []
    }

    /// Writes a message and keeps account of it.
    struct Generator {
        enum Ending: CaseIterable { case lf, crlf, mixed }

        var random: SeededGenerator
        let ending: Ending
        var bytes: [UInt8] = []
        private var boundaries = 0

        init(_ seed: UInt64) {
            random = SeededGenerator(seed: seed)
            ending = Ending.allCases[Int(seed % 3)]
        }

        mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(random.next() % UInt64(values.count))] }
        mutating func number(_ range: ClosedRange<Int>) -> Int {
            range.lowerBound + Int(random.next() % UInt64(range.count))
        }
        mutating func lineEnd() -> [UInt8] {
            switch ending {
            case .lf: [10]
            case .crlf: [13, 10]
            case .mixed: random.next() % 2 == 0 ? [10] : [13, 10]
            }
        }
        mutating func text(_ text: String) { bytes += Array(text.utf8) }
        mutating func endLine() { bytes += lineEnd() }

        private static let words: [[UInt8]] =
            [
                "abc", "café", "=?utf-8?q?caf=C3=A9?=", "\"quoted\"", "(comment)", "a\0b", "\u{1B}[1m", "a\rb", ":",
                ";",
                "\\", "<x@y>", "\u{7F}", "tab\tx", "=?bad?=", "\u{202E}",
            ].map { Array($0.utf8) } + [[0xE9, 0x74], [0xFF, 0xFE], [0xED, 0xA0, 0x80]]

        /// A field with a value of any words, folded or not.
        mutating func field(_ name: String) -> Field {
            let start = bytes.count
            text(name + pick(["", "", "", " ", "\t"]) + ":" + pick([" ", "", "\t"]))
            for index in 0..<number(1...6) {
                if index > 0 {
                    if random.next() % 3 == 0 { endLine() }
                    text(pick([" ", "\t", "  "]))
                }
                bytes += pick(Self.words)
            }
            text(pick(["", "", " "]))
            endLine()
            return Field(name: name, offset: start, length: bytes.count - start)
        }

        mutating func field(_ name: String, exactly value: String) -> Field {
            let start = bytes.count
            text("\(name): ")
            for (index, piece) in value.split(separator: "\n").enumerated() {
                if index > 0 {
                    endLine()
                    text(" ")
                }
                text(String(piece))
            }
            endLine()
            return Field(name: name, offset: start, length: bytes.count - start)
        }

        mutating func part(depth: Int, isMessage: Bool, open: [String]) -> Part {
            var part = Part()
            part.headerOffset = bytes.count
            if isMessage {
                for _ in 0..<number(0...4) {
                    let names = ["Subject", "From", "To", "X-Foo", "Received", "Date", "Message-ID", "List-Id", "X-!"]
                    part.fields.append(field(pick(names)))
                }
            }
            let leaves = ["text", "base64", "quoted", "binary", "empty"]
            let kind = pick(depth < 4 ? leaves + ["multi", "multi", "message"] : leaves)
            var boundary = ""
            switch kind {
            case "multi":
                boundaries += 1
                boundary = "b" + pick(["", "=_x", "x y", ".-", "--q"]) + String(boundaries)
                let type = pick(["mixed", "alternative", "related"])
                part.type = "multipart/\(type)"
                part.fields.append(field("Content-Type", exactly: "multipart/\(type);\nboundary=\"\(boundary)\""))
            case "message":
                part.type = "message/rfc822"
                part.isMessage = true
                part.fields.append(field("content-TYPE", exactly: "Message/RFC822"))
            case "empty": part.type = "text/plain"
            default:
                part.type = "application/x-\(kind)"
                part.fields.append(field("Content-Type", exactly: "Application/X-\(kind); name=\n\"a\""))
                if kind == "base64" { part.fields.append(field("Content-Transfer-Encoding", exactly: "BASE64")) }
                if kind == "quoted" {
                    part.fields.append(field("Content-Transfer-Encoding", exactly: "Quoted-Printable (x)"))
                }
            }
            endLine()
            part.bodyOffset = bytes.count
            switch kind {
            case "multi": multipart(&part, depth, boundary, open)
            case "message": part.parts = [self.part(depth: depth + 1, isMessage: true, open: open)]
            default: part.content = content(kind)
            }
            part.bodyEnd = bytes.count
            return part
        }

        private mutating func multipart(_ part: inout Part, _ depth: Int, _ boundary: String, _ open: [String]) {
            if random.next() % 2 == 0 {
                text("preamble --\(boundary)")
                endLine()
            }
            for _ in 0..<number(1...3) {
                text("--\(boundary)" + pick(["", "", " ", "\t "]))
                endLine()
                part.parts.append(self.part(depth: depth + 1, isMessage: false, open: open + [boundary]))
                endLine()
            }
            text("--\(boundary)--")
            if random.next() % 2 == 0 {
                endLine()
                text("epilogue")
            }
        }

        /// Writes content encoded, and returns it decoded.
        private mutating func content(_ kind: String) -> [UInt8] {
            let start = bytes.count
            switch kind {
            case "text":
                text("line one")
                endLine()
                text(" -- two \u{E9}")
            case "binary":
                var data = random.bytes(number(1...200))
                for index in data.indices where data[index] == 0x2D { data[index] = 0x2B }
                // A CR at the end would belong to the line end before the boundary.
                if data.last == 13 { data[data.count - 1] = 0 }
                bytes += data
            case "base64":
                let data = random.bytes(number(0...150))
                for (index, byte) in Base64.encode(data).utf8.enumerated() {
                    if index > 0, index % 60 == 0 { endLine() }
                    bytes.append(byte)
                }
                return data
            case "quoted":
                var data: [UInt8] = []
                for _ in 0..<number(0...20) {
                    switch number(0...4) {
                    case 0:
                        text("=" + pick(["", " \t"]))
                        endLine()
                    case 1:
                        let end = lineEnd()
                        text("w \t")
                        bytes += end
                        data += [0x77] + end
                    case 2:
                        let end = lineEnd()
                        text("w=20")
                        bytes += end
                        data += [0x77, 0x20] + end
                    case 3:
                        text("=c3=A9=00")
                        data += [0xC3, 0xA9, 0]
                    default:
                        text("abc")
                        data += Array("abc".utf8)
                    }
                }
                return data
            default: break
            }
            return Array(bytes[start...])
        }
    }

    private static let keys = [
        "file", "index", "size", "lineEnding", "envelopeFrom", "headers", "subject", "date", "from", "sender",
        "replyTo",
        "to", "cc", "bcc", "returnPath", "deliveredTo", "messageId", "inReplyTo", "references", "list", "body",
        "attachments", "text", "html", "hops", "authentication", "findings",
    ]
    private static let partKeys = [
        "path", "type", "parameters", "disposition", "filename", "charset", "encoding", "contentId", "description",
        "headerOffset", "bodyOffset", "bodyEnd", "size", "sha256", "isText", "text", "message", "parts",
    ]

    /// The lines of mailparse --json, each checked to be strict JSON.
    private func objects(_ messages: [[UInt8]]) throws -> [[String: Any]] {
        let folder = try TestDirectory()
        var names: [String] = []
        for (index, message) in messages.enumerated() { names.append(try folder.write("\(index)", message)) }
        let output = try ToolProcess.run("mailparse", ["--json"] + names).bytes
        let lines = output.split(separator: 10)
        try #require(lines.count == messages.count)
        return try lines.map { line in
            #expect(line.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
            #expect(String(validating: line, as: UTF8.self) != nil)
            let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
            return try #require(object)
        }
    }

    @Test("every header field, part and body stands where it is said to stand, and holds what it is said to hold")
    func places() throws {
        var messages: [[UInt8]] = []
        var expected: [Part] = []
        for seed in 1...150 {
            var generator = Generator(UInt64(seed))
            expected.append(generator.part(depth: 0, isMessage: true, open: []))
            messages.append(generator.bytes)
        }
        for (seed, object) in try objects(messages).enumerated() where object["error"] == nil {
            let message = messages[seed]
            #expect(Self.keys.allSatisfy { object[$0] != nil }, "seed \(seed + 1)")
            #expect(object["size"] as? Int == message.count)
            check(expected[seed], object["body"] as? [String: Any] ?? [:], "1", message, "seed \(seed + 1)")
            check(expected[seed].fields, object["headers"] as? [[String: Any]] ?? [], message, "seed \(seed + 1)")
        }
    }

    private func check(
        _ expected: Part, _ part: [String: Any], _ path: String, _ message: [UInt8], _ name: Comment
    ) {
        #expect(Self.partKeys.allSatisfy { part[$0] != nil }, name)
        #expect(part["path"] as? String == path && part["type"] as? String == expected.type, name)
        #expect(part["headerOffset"] as? Int == expected.headerOffset, name)
        #expect(part["bodyOffset"] as? Int == expected.bodyOffset, name)
        #expect(part["bodyEnd"] as? Int == expected.bodyEnd, name)
        if let content = expected.content {
            #expect(part["size"] as? Int == content.count, name)
            let digest = (try? Digest.hash(.sha256, content.span)).map { Hexadecimal.encode($0) }
            #expect(part["sha256"] as? String == digest, name)
        }
        let parts = part["parts"] as? [[String: Any]] ?? []
        #expect(parts.count == expected.parts.count, name)
        if expected.isMessage, let inner = expected.parts.first {
            let headers = (part["message"] as? [String: Any])?["headers"] as? [[String: Any]] ?? []
            check(inner.fields, headers, message, name)
        }
        for (index, (child, found)) in zip(expected.parts, parts).enumerated() {
            check(child, found, "\(path).\(index + 1)", message, name)
        }
    }

    private func check(_ expected: [Field], _ headers: [[String: Any]], _ message: [UInt8], _ name: Comment) {
        let found = headers.map {
            Field(
                name: $0["name"] as? String ?? "", offset: $0["offset"] as? Int ?? -1,
                length: $0["length"] as? Int ?? -1)
        }
        #expect(found == expected, name)
        guard found == expected else { return }
        for (field, header) in zip(expected, headers) {
            let bytes = message[field.offset..<(field.offset + field.length)]
            #expect(header["raw"] as? String == Self.unfolded(Array(bytes)), name)
            #expect(header["value"] is String, name)
        }
    }

    /// What follows the colon, without line ends before white space, trimmed.
    private static func unfolded(_ field: [UInt8]) -> String {
        let colon = field.firstIndex(of: 0x3A) ?? 0
        var value: [UInt8] = []
        for byte in field[(colon + 1)...] {
            if byte == 10 {
                if value.last == 13 { value.removeLast() }
            } else {
                value.append(byte)
            }
        }
        while value.last == 0x20 || value.last == 9 { value.removeLast() }
        return String(decoding: value.drop { $0 == 0x20 || $0 == 9 }, as: UTF8.self)
    }

    @Test("of broken messages too, ranges lie within each other and the JSON is strict")
    func broken() throws {
        var messages: [[UInt8]] = []
        for seed in 1...150 {
            var generator = Generator(UInt64(seed))
            _ = generator.part(depth: 0, isMessage: true, open: [])
            messages.append(generator.random.mutated(generator.bytes))
        }
        for (seed, object) in try objects(messages).enumerated() where object["error"] == nil {
            let size = object["size"] as? Int ?? 0
            var end = 0
            for header in object["headers"] as? [[String: Any]] ?? [] {
                let offset = header["offset"] as? Int ?? -1
                #expect(offset >= end, "seed \(seed + 1)")
                end = offset + (header["length"] as? Int ?? 0)
            }
            #expect(end <= size)
            var pending = [object["body"] as? [String: Any] ?? [:]]
            while let part = pending.popLast() {
                let places = ["headerOffset", "bodyOffset", "bodyEnd"].map { part[$0] as? Int ?? -1 }
                #expect(places == places.sorted() && places[0] >= 0 && places[2] <= size, "seed \(seed + 1)")
                pending += part["parts"] as? [[String: Any]] ?? []
            }
            for finding in object["findings"] as? [[String: Any]] ?? [] {
                #expect((0...size).contains(finding["offset"] as? Int ?? -1), "seed \(seed + 1)")
            }
        }
    }
}
