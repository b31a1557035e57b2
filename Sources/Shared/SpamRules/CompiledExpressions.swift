import Bytes
import Unix

extension RulePlan {
    /// All expressions, compiled: what `adopt` takes. Empty when that cannot be done.
    package var compiledExpressions: [UInt8] {
        // What all begin with, PCRE2's tables, is kept once.
        var common: [UInt8]?
        var rests = TextTable()
        var checksums: [Int32] = []
        for rule in 0..<count {
            var bytes: [UInt8] = []
            if !patterns.isEmpty(rule), let pattern = expressions.pattern(of: rule, self, isFast: false) {
                bytes = pattern.bytes ?? []
            }
            checksums.append(RulePlan.checksum(bytes))
            if common == nil, !bytes.isEmpty { common = Array(bytes.prefix(RulePlan.commonSize)) }
            let hasCommon = common.map { bytes.starts(with: $0) } ?? false
            rests.append(bytes.dropFirst(hasCommon ? common?.count ?? 0 : bytes.count))
        }
        var image = RuleImageWriter()
        image.put(common ?? [])
        image.put(rests)
        image.put(checksums)
        return image.bytes
    }

    /// The header and the character tables of what PCRE2 10 writes, in bytes.
    private static let commonSize = 1_104

    /// Takes what `compiledExpressions` of the same plan has given. Each expression is read when it is first needed, if
    /// its bytes are as they were written: PCRE2 trusts what it reads.
    package func adopt(_ compiled: RuleImageBytes) {
        var image = RuleImageReader(compiled)
        guard let common = try? image.text(), let rests = try? image.storedTexts(), let checksums = try? image.int32s(),
            rests.count == count, checksums.count == count
        else { return }
        expressions.adopt(common, rests, checksums)
    }

    static func checksum(_ bytes: [UInt8]) -> Int32 {
        let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
        var sum = UInt64(bytes.count)
        let span = bytes.span
        var place = 0
        while place &+ 7 < span.count {
            sum = (sum ^ span.word(at: place)) &* factor
            sum ^= sum >> 29
            place &+= 8
        }
        while place < span.count {
            sum = (sum ^ UInt64(span[place])) &* factor
            place &+= 1
        }
        return Int32(truncatingIfNeeded: sum >> 32)
    }
}
