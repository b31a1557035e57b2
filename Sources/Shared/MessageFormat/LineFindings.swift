import Bytes

/// The line ends of a message.
package enum LineEnding: String, Sendable {
    case crlf, lf, mixed

    /// `crlf` without a lone LF, `lf` without CRLF or without any line end, else `mixed`.
    package init(_ bytes: Span<UInt8>) {
        var hasCRLF = false
        var hasLF = false
        var position = 0
        while let lf = bytes.firstIndex(of: ASCII.lf, from: position) {
            if lf > 0, bytes[lf - 1] == ASCII.cr { hasCRLF = true } else { hasLF = true }
            if hasCRLF && hasLF { break }
            position = lf + 1
        }
        self = hasCRLF ? (hasLF ? .mixed : .crlf) : .lf
    }
}

/// What is wrong with the lines of a stretch of a message: the first place of each.
struct LineFindings {
    /// RFC 5322 2.1.1, without the line end.
    static let longestLine = 998

    private(set) var found: [(id: FindingID, offset: Int)] = []

    /// `isMixed`: the message has CRLF too, so that a lone LF is a defect.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, isMixed: Bool, forbidsNUL: Bool) {
        var bareLF: Int?
        var tooLong: Int?
        var position = range.lowerBound
        while position < range.upperBound {
            let end = bytes.firstIndex(of: ASCII.lf, in: position..<range.upperBound)
            let contentEnd = end ?? range.upperBound
            let hasCR = contentEnd > position && bytes[contentEnd - 1] == ASCII.cr
            if contentEnd - position - (hasCR ? 1 : 0) > LineFindings.longestLine { tooLong = tooLong ?? position }
            if isMixed, let end, !hasCR { bareLF = bareLF ?? end }
            guard let end else { break }
            position = end + 1
        }
        if let bareLF { found.append((.bareLF, bareLF)) }
        if let tooLong { found.append((.lineTooLong, tooLong)) }
        if let place = LineFindings.bareCR(bytes, range) { found.append((.bareCR, place)) }
        if forbidsNUL, let place = bytes.firstIndex(of: ASCII.nul, in: range) { found.append((.nulByte, place)) }
    }

    private static func bareCR(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var position = range.lowerBound
        while let place = bytes.firstIndex(of: ASCII.cr, in: position..<range.upperBound) {
            guard place + 1 < bytes.count, bytes[place + 1] == ASCII.lf else { return place }
            position = place + 1
        }
        return nil
    }
}
