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
        "check_blank_line_ratio": { facts, arguments in
            guard arguments.count > 1, let least = Double(arguments[0]), let most = Double(arguments[1]) else {
                return 0
            }
            let fewest = arguments.count > 2 ? max(Int(arguments[2]) ?? 1, 1) : 1
            let lines = facts.rawChunks.flatMap {
                $0.split(separator: ASCII.lf, omittingEmptySubsequences: false).dropLast($0.last == ASCII.lf ? 1 : 0)
            }
            let blank = lines.reduce(0) { $0 + ($1.allSatisfy(\.isMailWhitespace) ? 1 : 0) }
            let share = lines.count < fewest ? -1 : 100 * Double(blank) / Double(lines.count)
            return (least == 0 || share > least) && share <= most ? 1 : 0
        },
        "check_stock_info": { facts, arguments in
            guard let least = arguments.first.flatMap({ Int($0) }) else { return 0 }
            return stockTerms(facts).count >= least ? 1 : 0
        },
        "plaintext_body_length": { facts, arguments in signed(facts, arguments) { Double($0.body) } },
        "plaintext_sig_length": { facts, arguments in signed(facts, arguments) { Double($0.signature) } },
        "plaintext_body_sig_ratio": { facts, arguments in
            signed(facts, arguments) { $0.signature == 0 ? 1e6 : Double($0.body) / Double($0.signature) }
        },
        "tvd_vertical_words": { facts, arguments in
            guard arguments.count == 2, let least = Int(arguments[0]), let most = Int(arguments[1]) else { return 0 }
            let share = facts.bodyLines.map(spaceShare).max() ?? -1
            return share >= least && share < (most >= 100 ? 101 : most) ? 1 : 0
        },
    ]

    /// The terms of offers of shares that lines of the first plain text begin with.
    private static func stockTerms(_ facts: MessageFacts) -> Set<String> {
        guard let text = facts.textParts.first(where: { $0.type == "text/plain" })?.rendered else { return [] }
        let forms = [
            "^trad(?:e|ing)date$", "company(?:name)?$", "s\\w?(?:t\\w?o\\w?c\\w?k|y\\w?m(?:\\w?b\\w?o\\w?l)?)$",
            "t(?:arget|icker)$", "(?:opening|current)p(?:rice)?$", "p(?:rojected|osition)$", "expectations$",
            "weeks?high$", "marketperformance$", "(?:year|week|month|day|price)(?:target|estimates?)$", "sector$",
            "r(?:ecommendation|ating)$",
        ]
        var terms: Set<String> = []
        for line in text.split(separator: ASCII.lf) {
            let line = line.drop(while: \.isMailWhitespace)
            guard let colon = line.firstIndex(of: ASCII.colon), (3...30).contains(colon - line.startIndex),
                line[(colon + 1)...].contains(where: { !$0.isMailWhitespace })
            else { continue }
            let name = line[..<colon].map(\.asciiLowercased).filter(\.isASCIILetter).text
            if let form = forms.first(where: { facts.matches($0, name) }) { terms.insert(form) }
        }
        return terms
    }

    /// Whether a figure of the first plain text and its signature lies between two bounds.
    private static func signed(
        _ facts: MessageFacts, _ arguments: [String], _ figure: ((body: Int, signature: Int)) -> Double
    ) -> Int {
        guard let text = facts.textParts.first(where: { $0.type == "text/plain" })?.content,
            let least = arguments.first.flatMap({ Double($0) })
        else { return 0 }
        var lengths = (body: text.count, signature: 0)
        var start = 0
        for line in text.split(separator: ASCII.lf, omittingEmptySubsequences: false) {
            let end = start + line.count
            if line.elementsEqual("--".utf8) || line.elementsEqual("-- ".utf8), text.count - end > 4 {
                lengths = (start, text.count - end)
            }
            start = end + 1
        }
        let value = figure(lengths)
        guard value >= least else { return 0 }
        return arguments.count > 1 ? Double(arguments[1]).map { value <= $0 ? 1 : 0 } ?? 1 : 1
    }

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
