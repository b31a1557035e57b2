/// uuencoded data, as old mail has it: from a `begin` line to an `end` line.
package enum Uuencode {
    /// The decoded bytes of the first block in `text`; nil when there is no `begin` line.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        var place = 0
        while true {
            guard place < text.count else { return nil }
            let line = text.line(at: place)
            place = line.next
            if text.matches("begin ", at: line.content.lowerBound), line.content.count > 6 { break }
        }
        var result: [UInt8] = []
        while place < text.count {
            let line = text.line(at: place)
            place = line.next
            if line.content.count == 3, text.matches("end", at: line.content.lowerBound) { break }
            decodeLine(text.extracting(line.content), into: &result)
        }
        return result
    }

    private static func decodeLine(_ line: Span<UInt8>, into result: inout [UInt8]) {
        guard line.count > 0 else { return }
        let count = Int((line[0] &- 32) & 63)
        var written = 0
        var place = 1
        while written < count, place < line.count {
            func digit(_ offset: Int) -> UInt32 {
                place + offset < line.count ? UInt32((line[place + offset] &- 32) & 63) : 0
            }
            let group = digit(0) << 18 | digit(1) << 12 | digit(2) << 6 | digit(3)
            for shift in [16, 8, 0] as [UInt32] where written < count {
                result.append(UInt8(truncatingIfNeeded: group >> shift))
                written += 1
            }
            place += 4
        }
    }
}
