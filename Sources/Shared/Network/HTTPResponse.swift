import Bytes

/// Why what came is no HTTP response that can be used.
package struct HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// A response of HTTP/1.1, whole (RFC 9112).
package struct HTTPResponse: Equatable, Sendable {
    package let status: Int
    /// The words after the status, as they are written.
    package let reason: String
    package let body: [UInt8]
    /// Names in lower case, values as they are written without the white space around them.
    private let fields: [(name: String, value: String)]

    package init(status: Int, reason: String, fields: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
    }

    /// The first field of a name, which is given in lower case.
    package func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The media type without its parameters, in lower case; nil when none is given.
    package var mediaType: String? {
        field("content-type").map { value in
            let type = value.prefix { $0 != ";" && $0 != " " && $0 != "\t" }
            return String(type).asciiLowercased
        }
    }

    package static func == (left: HTTPResponse, right: HTTPResponse) -> Bool {
        left.status == right.status && left.reason == right.reason && left.body == right.body
            && left.fields.elementsEqual(right.fields) { $0 == $1 }
    }
}

/// Reads one response of HTTP/1.1 piece by piece, and keeps no more than a set number of bytes of it.
package struct HTTPResponseReader: Sendable {
    private enum Body: Sendable {
        case counted(left: Int)
        /// Up to the end of the connection.
        case toTheEnd
        case chunked(Chunk)
    }

    private enum Chunk: Sendable {
        case size
        case data(left: Int)
        case dataEnd
        case trailer
    }

    private enum State: Sendable {
        case head
        case body(Body)
        case done
    }

    private let limit: Int
    private var state = State.head
    private var pending: [UInt8] = []
    /// Where the line of the header begins whose end has not come yet.
    private var lineStart = 0
    private var status = 0
    private var reason = ""
    private var fields: [(name: String, value: String)] = []
    private var body: [UInt8] = []

    /// A header is never larger.
    private static let headLimit = 32_768
    private static let lineLimit = 1_024

    /// Bodies of more than `limit` bytes are refused.
    package init(limit: Int) { self.limit = limit }

    /// Nothing more is expected.
    package var isComplete: Bool { if case .done = state { true } else { false } }

    /// Takes what came next.
    package mutating func receive(_ bytes: [UInt8]) throws(HTTPError) {
        pending += bytes
        while try advance() {}
    }

    /// The response, once the connection has ended or nothing more is expected. `isProper` says that the other side said
    /// where the end is: without that, a body without a length may be cut (RFC 9112 8).
    package consuming func finish(isProper: Bool) throws(HTTPError) -> HTTPResponse {
        switch state {
        case .done: break
        case .body(.toTheEnd) where isProper: break
        case .head where pending.isEmpty: throw HTTPError("no response")
        case .head, .body: throw HTTPError("the response is cut short")
        }
        return HTTPResponse(status: status, reason: reason, fields: fields, body: body)
    }

    /// Takes a step; false when more bytes are needed.
    private mutating func advance() throws(HTTPError) -> Bool {
        switch state {
        case .done: return false
        case .head: return try readHead()
        case .body(.toTheEnd):
            try take(pending.count)
            return false
        case .body(.counted(let left)):
            let count = min(left, pending.count)
            try take(count)
            state = left == count ? .done : .body(.counted(left: left - count))
            return left == count
        case .body(.chunked(let chunk)): return try advance(chunk)
        }
    }

    private mutating func take(_ count: Int) throws(HTTPError) {
        guard body.count + count <= limit else { throw HTTPError("the response has more than \(limit) bytes") }
        body += pending[..<count]
        pending.removeFirst(count)
    }

    // MARK: Header

    private mutating func readHead() throws(HTTPError) -> Bool {
        let found = endOfHead()
        guard found?.content ?? pending.count <= Self.headLimit else {
            throw HTTPError("the header of the response is too long")
        }
        guard let end = found else {
            // What is no HTTP is told before it ends.
            if pending.count >= 5, !pending.starts(with: "HTTP/".utf8) { throw HTTPError("the answer is no HTTP") }
            return false
        }
        let lines = pending[..<end.content].split(separator: ASCII.lf).map { line in
            (line.last == ASCII.cr ? line.dropLast() : line)
        }
        pending.removeFirst(end.next)
        lineStart = 0
        guard let first = lines.first else { throw HTTPError("the answer is no HTTP") }
        try readStatus(first.text)
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ASCII.colon), colon > line.startIndex else {
                throw HTTPError("a header field of the response has no name")
            }
            let value = line[(colon + 1)...].text.split(whereSeparator: { $0 == " " || $0 == "\t" })
            fields.append((line[..<colon].text.asciiLowercased, value.joined(separator: " ")))
        }
        // Responses for now (RFC 9110 15.2) come before the one that is meant.
        if (100...199).contains(status) {
            fields = []
            return true
        }
        state = try bodyState()
        return true
    }

    /// Where the header ends, and where the body begins; nil while that has not come.
    private mutating func endOfHead() -> (content: Int, next: Int)? {
        while let lf = pending[lineStart...].firstIndex(of: ASCII.lf) {
            let isEmpty = lf == lineStart || lf == lineStart + 1 && pending[lineStart] == ASCII.cr
            if isEmpty { return (lineStart, lf + 1) }
            lineStart = lf + 1
        }
        return nil
    }

    private mutating func readStatus(_ line: String) throws(HTTPError) {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3,
            let code = Int(words[1]), (100...599).contains(code)
        else { throw HTTPError("the answer is no HTTP/1.1") }
        status = code
        reason = words.count > 2 ? String(words[2]) : ""
    }

    private func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// RFC 9112 6.3.
    private func bodyState() throws(HTTPError) -> State {
        if status == 204 || status == 304 { return .done }
        let codings = values("transfer-encoding")
        if !codings.isEmpty {
            guard codings.count == 1, codings[0].asciiLowercased == "chunked" else {
                throw HTTPError("the response has a transfer coding that is not known")
            }
            return .body(.chunked(.size))
        }
        let lengths = values("content-length")
        guard let first = lengths.first else { return .body(.toTheEnd) }
        guard lengths.allSatisfy({ $0 == first }), !first.isEmpty, first.utf8.allSatisfy(\.isASCIIDigit) else {
            throw HTTPError("the length of the response is not clear")
        }
        guard let count = Int(first), count <= limit else {
            throw HTTPError("the response has more than \(limit) bytes")
        }
        return count == 0 ? .done : .body(.counted(left: count))
    }

    // MARK: Chunks (RFC 9112 7.1)

    private mutating func advance(_ chunk: Chunk) throws(HTTPError) -> Bool {
        switch chunk {
        case .data(let left):
            let count = min(left, pending.count)
            try take(count)
            state = .body(.chunked(left == count ? .dataEnd : .data(left: left - count)))
            return left == count
        case .size:
            guard let line = try nextLine() else { return false }
            let digits = line.prefix { $0 != ASCII.semicolon && !$0.isSpaceOrTab }
            guard !digits.isEmpty, digits.count <= 16, digits.allSatisfy({ $0.isASCIIAlphanumeric }),
                let size = Int(digits.text, radix: 16)
            else { throw HTTPError("a chunk of the response has no size") }
            state = .body(.chunked(size == 0 ? .trailer : .data(left: size)))
            return true
        case .dataEnd:
            guard let line = try nextLine() else { return false }
            guard line.isEmpty else { throw HTTPError("a chunk of the response is longer than it says") }
            state = .body(.chunked(.size))
            return true
        case .trailer:
            guard let line = try nextLine() else { return false }
            if line.isEmpty { state = .done }
            return true
        }
    }

    private mutating func nextLine() throws(HTTPError) -> [UInt8]? {
        guard let lf = pending.firstIndex(of: ASCII.lf) else {
            if pending.count > Self.lineLimit { throw HTTPError("a line of the response has no end") }
            return nil
        }
        let isCRLF = lf > 0 && pending[lf - 1] == ASCII.cr
        let line = Array(pending[..<(isCRLF ? lf - 1 : lf)])
        pending.removeFirst(lf + 1)
        return line
    }
}
