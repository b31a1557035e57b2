import Glibc

extension Span where Element == UInt8 {
    /// The first place of `byte` at or after `start`, by the C library's `memchr`.
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        firstIndex(of: byte, in: start..<count)
    }

    /// The first place of `byte` within `range`; the range is cut to the span.
    package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        let range = range.clamped(to: 0..<count)
        if range.isEmpty { return nil }
        // Safe: the range was cut to the span's bounds, and the pointer does not leave the closure.
        return withUnsafeBufferPointer { buffer -> Int? in
            guard let base = buffer.baseAddress,
                let found = memchr(base + range.lowerBound, Int32(byte), range.count)
            else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// The last place of `byte` within `range`, which is cut to the span.
    package func lastIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        let range = range.clamped(to: 0..<count)
        var place = range.upperBound
        while place > range.lowerBound {
            place &-= 1
            if self[place] == byte { return place }
        }
        return nil
    }

    /// The first place of `byte` within `range`, looked for in steps: `passed` is told of every place up to which all
    /// was looked through, so that pages of a large mapped file can go meanwhile.
    package func firstIndex(of byte: UInt8, in range: Range<Int>, passed: ((Int) -> Void)?) -> Int? {
        guard let passed, range.count > Self.stepOfLongSearch else { return firstIndex(of: byte, in: range) }
        var place = range.lowerBound
        while place < range.upperBound {
            let end = Swift.min(place + Self.stepOfLongSearch, range.upperBound)
            if let found = firstIndex(of: byte, in: place..<end) { return found }
            passed(end)
            place = end
        }
        return nil
    }

    package static var stepOfLongSearch: Int { 4 << 20 }

    /// True when the bytes at `offset` are those of `text`.
    @inlinable package func matches(_ text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, offset <= count, count - offset >= length else { return false }
        return text.withUTF8Buffer { expected in
            for index in 0..<length where self[offset &+ index] != expected[index] { return false }
            return true
        }
    }

    /// The bytes of `range`, cut to the span, as an array of their own.
    package func array(_ range: Range<Int>) -> [UInt8] {
        let range = range.clamped(to: 0..<count)
        // Safe: the pointer does not leave the closure, and the range lies within the span.
        return withUnsafeBufferPointer { Array($0[range]) }
    }

    /// All bytes as an array.
    package var array: [UInt8] { array(0..<count) }
}

extension Array where Element == UInt8 {
    /// Appends the bytes of a span.
    @inlinable package mutating func append(span: Span<UInt8>) {
        // Safe: the pointer does not leave the closure.
        span.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension Array where Element == UInt8 {
    /// Appends bytes that are there already.
    package mutating func append(copyOf range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        let end = count
        append(contentsOf: repeatElement(0, count: range.count))
        // Safe: the range lies before the old end, and as many bytes were appended behind it.
        withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            memcpy(base + end, base + range.lowerBound, range.count)
        }
    }
}

extension Array where Element: BitwiseCopyable {
    /// The elements of a span as an array of their own.
    package init(copying span: Span<Element>) {
        // Safe: the pointer does not leave the closure.
        self = span.withUnsafeBufferPointer { Array($0) }
    }
}

/// One line of a byte stream: its content without the line end, and where the next line begins.
package struct LineRange: Equatable, Sendable {
    /// The content, without CRLF or LF. A CR before the LF is not content; any other CR is.
    package var content: Range<Int>
    /// The place after the line end, or the end of the data.
    package var next: Int
    /// False for a last line that has no line end.
    package var isTerminated: Bool

    package init(content: Range<Int>, next: Int, isTerminated: Bool) {
        self.content = content
        self.next = next
        self.isTerminated = isTerminated
    }
}

extension Span where Element == UInt8 {
    /// The line that begins at `start` (which must not be past the end) and ends with LF, CRLF or the end of the data.
    package func line(at start: Int, limit: Int? = nil) -> LineRange {
        let end = Swift.min(limit ?? count, count)
        let start = Swift.min(start, end)
        guard let lf = firstIndex(of: ASCII.lf, in: start..<end) else {
            return LineRange(content: start..<end, next: end, isTerminated: false)
        }
        let contentEnd = lf > start && self[lf &- 1] == ASCII.cr ? lf &- 1 : lf
        return LineRange(content: start..<contentEnd, next: lf &+ 1, isTerminated: true)
    }
}
