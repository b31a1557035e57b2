import Bytes
import MessageFormat

/// Tests of the HTML parts.
extension EvalTests {
    static let htmlTests: [String: Test] = [
        "html_test": { facts, arguments in
            facts.htmlParts.contains { html in
                switch arguments.first {
                case "html": true
                case "font_low_contrast": html.hasLowContrast
                case "font_invalid_color": html.hasInvalidColor
                case "font_face_bad": html.hasBadFontFace
                case "form_action_mailto": html.mailsForm
                case "embeds": html.hasEmbedded
                default: false
                }
            } ? 1 : 0
        },
        "html_tag_exists": { facts, arguments in
            guard let tag = arguments.first else { return 0 }
            return facts.htmlParts.contains { $0.inside[tag] != nil } ? 1 : 0
        },
        "html_tag_balance": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            return facts.htmlParts.contains { html in
                html.inside[arguments[0]].map { holds(Double($0), arguments[1]) } ?? false
            } ? 1 : 0
        },
        "html_eval": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            return facts.htmlParts.contains { html in
                html.figure(arguments[0]).map { holds($0, arguments[1]) } ?? false
            } ? 1 : 0
        },
        "html_range": { facts, arguments in
            guard let name = arguments.first else { return 0 }
            return facts.htmlParts.contains { html in
                html.figure(name).map { isWithin($0, arguments.dropFirst()) } ?? false
            } ? 1 : 0
        },
        "html_image_only": { facts, arguments in
            facts.htmlParts.contains { $0.inside["img"] != nil && isWithin(Double($0.length), arguments[...]) } ? 1 : 0
        },
        "html_image_ratio": { facts, arguments in
            facts.htmlParts.contains { html in
                html.imageArea > 0 && isWithin(Double(html.visibleLength) / html.imageArea, arguments[...])
            } ? 1 : 0
        },
        "html_text_match": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            return facts.htmlParts.contains { html in
                texts(html, arguments[0]).contains { facts.expressions.matches(arguments[1], $0, []) }
            } ? 1 : 0
        },
        "html_text_not_match": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            return facts.htmlParts.contains { html in
                texts(html, arguments[0]).contains { !facts.expressions.matches(arguments[1], $0, []) }
            } ? 1 : 0
        },
        "html_title_subject_ratio": { facts, arguments in
            let subject = facts.text("Subject").utf8.count
            guard subject > 0, let least = arguments.first.flatMap({ Double($0) }) else { return 0 }
            return facts.htmlParts.contains { html in
                html.titles.contains { Double($0.count) / Double(subject) > least }
            } ? 1 : 0
        },
        "check_iframe_src": { facts, _ in
            facts.htmlParts.contains { $0.links.contains { $0.element == "iframe" } } ? 1 : 0
        },
        "multipart_alternative_difference": { facts, arguments in
            guard arguments.count == 2, let least = Double(arguments[0]) else { return 0 }
            let difference = wordDifference(facts).share
            guard least == 0 || difference > least else { return 0 }
            return arguments[1] == "undef" || difference <= (Double(arguments[1]) ?? 0) ? 1 : 0
        },
        "multipart_alternative_difference_count": { facts, arguments in
            guard arguments.count == 2, let ratio = Double(arguments[0]), let least = Int(arguments[1]) else {
                return 0
            }
            let (_, html, text) = wordDifference(facts)
            return html > least && Double(text) / Double(html) > ratio ? 1 : 0
        },
    ]

    private static func texts(_ html: RenderedHTML, _ kind: String) -> [[UInt8]] {
        switch kind {
        case "title": html.titles
        case "comment": html.comments
        case "anchor": html.anchors
        default: []
        }
    }

    /// Above the first bound, and not above the second; `inf` is none.
    private static func isWithin(_ value: Double, _ bounds: ArraySlice<String>) -> Bool {
        guard let least = bounds.first.flatMap({ Double($0) }), value > least else { return false }
        guard bounds.count > 1, let most = bounds.last, most != "inf" else { return true }
        return Double(most).map { value <= $0 } ?? false
    }

    /// `!= 0`, `< 512`
    private static func holds(_ value: Double, _ comparison: String) -> Bool {
        let sign = comparison.prefix { "<>=!".contains($0) }
        guard let number = Double(comparison.dropFirst(sign.count).filter { $0 != " " }) else { return false }
        switch sign {
        case "<": return value < number
        case "<=": return value <= number
        case ">": return value > number
        case ">=": return value >= number
        case "==": return value == number
        case "!=": return value != number
        default: return false
        }
    }

    /// The share of the words of the HTML, of 100, that the plain text beside it lacks, the largest of all alternatives;
    /// and how many different words the last of them has in either.
    private static func wordDifference(_ facts: MessageFacts) -> (share: Double, html: Int, text: Int) {
        let structure = facts.structure
        var largest = 0.0
        var counts = (html: 0, text: 0)
        for index in structure.parts.indices where structure.parts[index].contentType.name == "multipart/alternative" {
            var inHTML: [ArraySlice<UInt8>: Int] = [:]
            var inText: [ArraySlice<UInt8>: Int] = [:]
            for part in facts.textParts where isBelow(part.index, index, facts) {
                let words = part.rendered.split { $0.isMailWhitespace }.filter { word in
                    word.contains { $0.isASCIIAlphanumeric || $0 == ASCII.underscore || $0 >= 0x80 }
                }
                for word in words {
                    if part.html == nil { inText[word, default: 0] += 1 } else { inHTML[word, default: 0] += 1 }
                }
                if part.html?.inside["img"] != nil, inHTML.isEmpty { inHTML[[ASCII.lf]] = 1 }
            }
            guard !inHTML.isEmpty else { continue }
            counts = (inHTML.count, inText.count)
            let missing = inHTML.filter { word, count in count - (inText[word] ?? 0) >= 1 || inText[word] == nil }
            largest = max(largest, 100 * Double(missing.count) / Double(inHTML.count))
        }
        return (largest, counts.html, counts.text)
    }

    private static func isBelow(_ part: Int, _ ancestor: Int, _ facts: MessageFacts) -> Bool {
        var current = facts.structure.parts[part].parent
        while let index = current {
            if index == ancestor { return true }
            current = facts.structure.parts[index].parent
        }
        return false
    }
}
