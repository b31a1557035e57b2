import Bytes

/// The line ends of a message.
package enum LineEnding: String, Sendable {
    case crlf, lf, mixed

    /// `crlf` without a lone LF, `lf` without CRLF or without any line end, else `mixed`. `passed` is told of places up to
    /// which all was looked through.
    package init(_ bytes: Span<UInt8>, passed: ((Int) -> Void)? = nil) {
        guard let first = bytes.firstIndex(of: ASCII.lf, in: 0..<bytes.count, passed: passed) else {
            self = .lf
            return
        }
        let isCRLF = first > 0 && bytes[first - 1] == ASCII.cr
        var reported = first
        var position = first + 1
        while position < bytes.count {
            let end = min(position + Span<UInt8>.stepOfLongSearch, bytes.count)
            // One byte back: the CR may be the last of the step before.
            if !isCRLF, bytes.firstIndex(of: "\r\n", in: position - 1..<end) != nil {
                self = .mixed
                return
            }
            if isCRLF, LineEnding.hasLoneLF(bytes, position..<end) {
                self = .mixed
                return
            }
            if end - reported > Span<UInt8>.stepOfLongSearch / 2 {
                passed?(end)
                reported = end
            }
            position = end
        }
        self = isCRLF ? .crlf : .lf
    }

    private static func hasLoneLF(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        while let lf = bytes.firstIndex(of: ASCII.lf, in: position..<range.upperBound) {
            if lf == 0 || bytes[lf - 1] != ASCII.cr { return true }
            position = lf + 1
        }
        return false
    }
}

/// What is wrong with the lines of a stretch of a message: the first place of each.
struct LineFindings {
    /// RFC 5322 2.1.1, without the line end.
    static let longestLine = 998

    private(set) var found: [(id: FindingID, offset: Int)] = []

    /// `ending`: that of the whole message; a lone LF is a defect in a mixed one. `passed` as for `LineEnding`.
    init(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ ending: LineEnding, forbidsNUL: Bool,
        passed: ((Int) -> Void)? = nil
    ) {
        // A stretch at a time, for all questions: each is a fast search, and the bytes are near.
        var tooLong, bareCR, bareLF, nul: Int?
        var position = range.lowerBound
        var lineStart = range.lowerBound
        while position < range.upperBound {
            let end = min(position + Span<UInt8>.stepOfLongSearch, range.upperBound)
            let step = position..<end
            if tooLong == nil {
                tooLong = LineFindings.longLine(bytes, &lineStart, end, isLast: end == range.upperBound)
            }
            bareCR = bareCR ?? LineFindings.bareCR(bytes, step, ending)
            if ending == .mixed { bareLF = bareLF ?? LineFindings.bareLF(bytes, step) }
            if forbidsNUL { nul = nul ?? bytes.firstIndex(of: ASCII.nul, in: step) }
            if step.count == Span<UInt8>.stepOfLongSearch { passed?(end) }
            position = end
        }
        if let bareLF { found.append((.bareLF, bareLF)) }
        if let tooLong { found.append((.lineTooLong, tooLong)) }
        if let bareCR { found.append((.bareCR, bareCR)) }
        if let nul { found.append((.nulByte, nul)) }
    }

    /// Where a line begins that is too long; `start` moves to the start of the last line that is not yet complete.
    private static func longLine(_ bytes: Span<UInt8>, _ start: inout Int, _ end: Int, isLast: Bool) -> Int? {
        while start < end {
            // Any line end within reach: all lines up to it are short enough.
            if let lf = bytes.lastIndex(of: ASCII.lf, in: start..<min(start + longestLine + 1, end)) {
                start = lf + 1
                continue
            }
            guard end - start > longestLine else { return nil }
            // Nothing within the limit: at most CRLF right behind it.
            let place = start + longestLine
            if place + 1 < bytes.count, bytes[place] == ASCII.cr, bytes[place + 1] == ASCII.lf {
                start = place + 2
                continue
            }
            if place + 1 >= end, !isLast { return nil }
            return start
        }
        return nil
    }

    private static func bareLF(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var position = range.lowerBound
        while let lf = bytes.firstIndex(of: ASCII.lf, in: position..<range.upperBound) {
            if lf == 0 || bytes[lf - 1] != ASCII.cr { return lf }
            position = lf + 1
        }
        return nil
    }

    private static func bareCR(_ bytes: Span<UInt8>, _ range: Range<Int>, _ ending: LineEnding) -> Int? {
        // Without CRLF in the message, every CR is one by itself.
        if ending == .lf { return bytes.firstIndex(of: ASCII.cr, in: range) }
        var position = range.lowerBound
        while let place = bytes.firstIndex(of: ASCII.cr, in: position..<range.upperBound) {
            guard place + 1 < bytes.count, bytes[place + 1] == ASCII.lf else { return place }
            position = place + 1
        }
        return nil
    }
}
