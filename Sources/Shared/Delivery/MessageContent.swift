import Bytes
import Unix

/// The bytes of a message: in memory, in mapped files, or in several of these one after the other. However large it is,
/// it is read a part at a time.
package struct MessageContent: Sendable {
    package enum Piece: Sendable {
        case bytes([UInt8])
        case mapped(SharedMappedFile, Range<Int>)

        private static let releaseStep = 4 << 20

        package var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .mapped(_, let range): range.count
            }
        }

        /// A part of the piece, which `range` must lie within.
        package func part(_ range: Range<Int>) -> Piece {
            switch self {
            case .bytes(let bytes): .bytes(bytes.span.array(range))
            case .mapped(let mapping, let whole):
                .mapped(mapping, (whole.lowerBound + range.lowerBound)..<(whole.lowerBound + range.upperBound))
            }
        }

        /// Calls `body` with a part of the piece; the range is cut to the piece.
        package func read(_ range: Range<Int>, _ body: (Span<UInt8>) -> Void) {
            let range = range.clamped(to: 0..<count)
            switch self {
            case .bytes(let bytes): body(bytes.span.extracting(range))
            case .mapped(let mapping, let whole):
                let lower = whole.lowerBound + range.lowerBound
                Self.read(mapping.file, lower..<(lower + range.count), body)
                // A large file is read front to back: what was read need not stay in memory.
                if range.upperBound % Self.releaseStep == 0 { mapping.file.release(upTo: lower + range.count) }
            }
        }

        /// The octets before this place are not needed now: mapped ones need not stay in memory.
        package func release(upTo place: Int) {
            if case .mapped(let mapping, let whole) = self { mapping.file.release(upTo: whole.lowerBound + place) }
        }

        private static func read(_ file: borrowing MappedFile, _ range: Range<Int>, _ body: (Span<UInt8>) -> Void) {
            body(file.bytes.extracting(range))
        }
    }

    package var pieces: [Piece]

    package init(_ bytes: [UInt8]) { pieces = [.bytes(bytes)] }
    package init(pieces: [Piece]) { self.pieces = pieces }

    /// The stored size in octets.
    package var count: Int { pieces.reduce(0) { $0 + $1.count } }

    /// The size of the parts in which a message is read, in octets.
    package static let partSize = 65_536

    /// Calls `body` with all bytes, a part of at most `partSize` at a time.
    package func forEachPart(_ body: (Span<UInt8>) -> Void) {
        for piece in pieces {
            for start in stride(from: 0, to: piece.count, by: Self.partSize) {
                piece.read(start..<(start + Self.partSize), body)
            }
        }
    }

    /// Reads the parts one by one, for a reader that waits in between.
    package var parts: Parts { Parts(content: self) }

    package struct Parts {
        fileprivate let content: MessageContent
        private var piece = 0
        private var place = 0

        fileprivate init(content: MessageContent) { self.content = content }

        /// The next part, at most `partSize` octets; nil at the end.
        package mutating func next() -> [UInt8]? {
            while piece < content.pieces.count {
                let current = content.pieces[piece]
                guard place < current.count else {
                    piece += 1
                    place = 0
                    continue
                }
                var part: [UInt8] = []
                current.read(place..<(place + MessageContent.partSize)) { part = $0.array }
                place += part.count
                return part
            }
            return nil
        }
    }

    /// Calls `body` with all bytes in one span: where they lie when that is one place, else in a copy.
    package func withWhole<Value>(_ body: (Span<UInt8>) -> Value) -> Value {
        var result: Value?
        let parts = pieces.filter { $0.count > 0 }
        if parts.count == 1 {
            parts[0].read(0..<parts[0].count) { result = body($0) }
        }
        if let result { return result }
        let bytes = bytes
        return body(bytes.span)
    }

    /// All bytes, in memory.
    package var bytes: [UInt8] {
        if pieces.count == 1, case .bytes(let bytes) = pieces[0] { return bytes }
        var whole: [UInt8] = []
        whole.reserveCapacity(count)
        forEachPart { whole.append(span: $0) }
        return whole
    }

    /// The first octets, at most `limit`.
    package func start(limit: Int) -> [UInt8] {
        var start: [UInt8] = []
        for piece in pieces where start.count < limit {
            piece.read(0..<(limit - start.count)) { start.append(span: $0) }
        }
        return start
    }

    /// The same without the first `count` octets.
    package func dropping(_ count: Int) -> MessageContent {
        var left = count
        var rest: [Piece] = []
        for piece in pieces {
            if left >= piece.count {
                left -= piece.count
            } else {
                rest.append(left > 0 ? piece.part(left..<piece.count) : piece)
                left = 0
            }
        }
        return MessageContent(pieces: rest)
    }

    /// The same with something above it.
    package func below(_ head: [UInt8]) -> MessageContent {
        head.isEmpty ? self : MessageContent(pieces: [.bytes(head)] + pieces)
    }

    /// The same without the Return-Path fields in its header.
    package var withoutReturnPath: MessageContent {
        let header = header()
        let kept = TraceFields.withoutReturnPath(header)
        return kept.count == header.count ? self : dropping(header.count).below(kept)
    }

    /// The header with the empty line that ends it, if it is no longer than `limit` octets; else as much of it.
    package func header(limit: Int = 1 << 20) -> [UInt8] {
        let start = start(limit: limit)
        let span = start.span
        var place = 0
        while place < span.count {
            let line = span.line(at: place)
            place = line.next
            if line.content.isEmpty { break }
        }
        return span.array(0..<place)
    }
}
