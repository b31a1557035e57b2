/// uuencoded data, as old mail has it: from a `begin` line to an `end` line.
package enum Uuencode {
    /// A block within text.
    package struct Block: Equatable, Sendable {
        /// The name in its `begin` line.
        package let name: Range<Int>
        /// Its lines of data.
        package let lines: Range<Int>
        /// The place after its `end` line.
        package let next: Int
    }

    /// The decoded bytes of the first block in `text`; nil when there is no `begin` line.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard let first = firstLine(in: text) else { return nil }
        var result: [UInt8] = []
        var place = first
        while decodeLines(text, from: &place, into: &result) {}
        return result
    }

    /// The place after the first `begin` line; nil when there is none.
    package static func firstLine(in text: Span<UInt8>) -> Int? {
        beginLine(in: text, from: 0, needsMode: false)?.next
    }

    /// Decodes some lines of a block, about 64 KiB, from `place` on, which moves behind them; false at the end of the block.
    package static func decodeLines(_ text: Span<UInt8>, from place: inout Int, into result: inout [UInt8]) -> Bool {
        let limit = result.count + 65_536
        while place < text.count, result.count < limit {
            let line = text.line(at: place)
            place = line.next
            if line.content.count == 3, text.matches("end", at: line.content.lowerBound) { return false }
            decodeLine(text.extracting(line.content), into: &result)
        }
        return place < text.count
    }

    /// The next block at or after `start`, where a line begins. Within text a block must look like one: a mode of three or
    /// four digits and a name, lines of the length that they tell, and an `end` line, unless the text ends before.
    package static func block(in text: Span<UInt8>, from start: Int) -> Block? {
        var start = start
        while let begin = beginLine(in: text, from: start, needsMode: true) {
            var place = begin.next
            var isOpen = true
            while place < text.count {
                let line = text.line(at: place)
                if line.content.count == 3, text.matches("end", at: line.content.lowerBound) {
                    if place > begin.next { return Block(name: begin.name, lines: begin.next..<place, next: line.next) }
                    isOpen = false
                    break
                }
                guard isData(text, line.content) else {
                    isOpen = false
                    break
                }
                place = line.next
            }
            if isOpen, place > begin.next { return Block(name: begin.name, lines: begin.next..<place, next: place) }
            start = max(place, begin.next)
        }
        return nil
    }

    /// The next line that begins with `begin `, and a mode and a name when there must be one; with the place of the name.
    private static func beginLine(
        in text: Span<UInt8>, from start: Int, needsMode: Bool
    ) -> (name: Range<Int>, next: Int)? {
        var place = start
        while place < text.count {
            if text.matches("begin ", at: place) {
                let line = text.line(at: place)
                let rest = (place + 6)..<max(place + 6, line.content.upperBound)
                if needsMode ? hasMode(text, rest) : !rest.isEmpty {
                    let name = text.firstIndex(of: ASCII.space, in: rest).map { ($0 + 1)..<rest.upperBound } ?? rest
                    return (name, line.next)
                }
            }
            guard let found = text.firstIndex(of: "\nbegin ", in: place..<text.count) else { return nil }
            place = found + 1
        }
        return nil
    }

    private static func hasMode(_ text: Span<UInt8>, _ rest: Range<Int>) -> Bool {
        guard let space = text.firstIndex(of: ASCII.space, in: rest), (3...4).contains(space - rest.lowerBound),
            space + 1 < rest.upperBound
        else { return false }
        for place in rest.lowerBound..<space where text[place] & 0xF8 != ASCII.zero { return false }
        return true
    }

    /// Whether a line holds as many digits as it tells; white space at its end may have been lost.
    private static func isData(_ text: Span<UInt8>, _ line: Range<Int>) -> Bool {
        guard let first = line.first else { return true }
        guard text[first] &- 0x20 <= 0x40, line.count <= 86 else { return false }
        for place in line where text[place] &- 0x20 > 0x40 { return false }
        let digits = (Int((text[first] &- 0x20) & 63) + 2) / 3 * 4
        return digits == 0 ? line.count <= 5 : line.count > digits / 2
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
