import Bytes
import MessageFormat

/// Tests of the text of the body.
extension EvalTests {
    static let textTests: [String: Test] = [
        "check_body_length": { facts, arguments in
            guard let most = arguments.first.flatMap({ Int($0) }) else { return 0 }
            return facts.bytes.count - (facts.structure.parts.first?.bodyOffset ?? 0) <= most ? 1 : 0
        },
        "check_for_uppercase": { facts, arguments in
            guard arguments.count == 2, let least = Double(arguments[0]), let most = Double(arguments[1]) else {
                return 0
            }
            let share = uppercaseShare(facts.bodyLines)
            return share > least && share <= most ? 1 : 0
        },
        "tvd_vertical_words": { facts, arguments in
            guard arguments.count == 2, let least = Int(arguments[0]), let most = Int(arguments[1]) else { return 0 }
            let share = facts.bodyLines.map(spaceShare).max() ?? -1
            return share >= least && share < (most >= 100 ? 101 : most) ? 1 : 0
        },
    ]

    /// The share of letters that are capitals, of 100; 0 for short texts.
    private static func uppercaseShare(_ lines: [[UInt8]]) -> Double {
        var length = 0
        var lower = 0
        var upper = 0
        for line in lines {
            let words = line.split(whereSeparator: \.isMailWhitespace)
            guard words.count > 1 else { continue }
            length += line.count
            for byte in line {
                if byte &- 0x41 < 26 { upper += 1 }
                if byte &- 0x61 < 26 || byte.isASCIIDigit { lower += 1 }
            }
        }
        return length < 200 || upper + lower == 0 ? 0 : 100 * Double(upper) / Double(upper + lower)
    }

    /// Spaces for a hundred other characters; -1 for a short line.
    private static func spaceShare(_ line: [UInt8]) -> Int {
        guard line.count > 5 else { return -1 }
        let spaces = line.reduce(0) { $0 + ($1 == ASCII.space ? 1 : 0) }
        let others = line.count - spaces
        return spaces > others || others == 0 ? 100 : 100 * spaces / others
    }
}
