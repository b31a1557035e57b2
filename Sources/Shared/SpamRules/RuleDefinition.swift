import Bytes

/// Reads what lines of rule files say of one rule.
enum RuleDefinition {
    /// One number, or four for the score sets.
    static func scores(_ text: [UInt8]) throws(RuleSyntaxError) -> [Double] {
        let words = text.split(whereSeparator: \.isMailWhitespace).map(\.text)
        let numbers = words.compactMap { word -> Double? in
            // A relative score stands in parentheses; relative to nothing, it is the score.
            guard let number = Double(word.filter { $0 != "(" && $0 != ")" }), number.isFinite else { return nil }
            return number
        }
        guard numbers.count == words.count, [1, 4].contains(numbers.count) else {
            throw RuleSyntaxError("a score has one or four numbers")
        }
        return numbers
    }

    /// `Field =~ /x/ [if-unset: y]`, `exists:Field`, `eval:f()`.
    static func headerArea(_ keyword: String, _ value: [UInt8]) throws(RuleSyntaxError) -> RuleArea {
        if let call = try evalCall(keyword, value) { return .eval(call) }
        if value.starts(with: Array("exists:".utf8)) {
            return .exists(try subject(RuleLine.trimmed(value[7...]).text))
        }
        var end = 0
        while end < value.count, !value[end].isMailWhitespace, value[end] != ASCII.equals,
            value[end] != UInt8(ascii: "!")
        {
            end += 1
        }
        let subject = try subject(value[..<end].text)
        var rest = RuleLine.trimmed(value[end...])
        let isNegated = rest.starts(with: Array("!~".utf8))
        guard isNegated || rest.starts(with: Array("=~".utf8)) else {
            throw RuleSyntaxError("must be \(keyword) NAME Field =~ /pattern/")
        }
        rest.removeFirst(2)
        var ifUnset: String?
        if rest.last == ASCII.closeBracket, let start = rest.place(of: "[if-unset:") {
            ifUnset = RuleLine.trimmed(rest[(start + 10)..<(rest.count - 1)]).text
            rest = Array(rest[..<start])
        }
        let pattern = try RulePattern(rest[...])
        return keyword == "header"
            ? .header(subject, pattern, isNegated: isNegated, ifUnset: ifUnset)
            : .mimeHeader(subject, pattern, isNegated: isNegated, ifUnset: ifUnset)
    }

    private static func subject(_ text: String) throws(RuleSyntaxError) -> HeaderSubject {
        let subject = HeaderSubject(text)
        guard !subject.name.isEmpty else { throw RuleSyntaxError("a header field is missing") }
        if let form = subject.forms.first(where: { !HeaderSubject.known.contains($0) }) {
            throw RuleSyntaxError("the form :\(form) of a header field is not supported")
        }
        return subject
    }

    /// `eval:name('a', 2)`; nil when it is none.
    static func evalCall(_ area: String, _ value: [UInt8]) throws(RuleSyntaxError) -> EvalCall? {
        guard value.starts(with: Array("eval:".utf8)) else { return nil }
        let text = value.dropFirst(5)
        guard let open = text.firstIndex(of: ASCII.openParenthesis),
            let close = text.lastIndex(of: ASCII.closeParenthesis),
            open < close
        else { throw RuleSyntaxError("must be eval:name(arguments)") }
        var arguments: [String] = []
        var current: [UInt8] = []
        var quote: UInt8?
        var isEmpty = true
        for byte in text[(open + 1)..<close] {
            if let mark = quote {
                if byte == mark { quote = nil } else { current.append(byte) }
            } else if byte == ASCII.apostrophe || byte == ASCII.quote {
                quote = byte
                isEmpty = false
            } else if byte == ASCII.comma {
                arguments.append(current.text)
                current = []
                isEmpty = false
            } else if !byte.isMailWhitespace {
                current.append(byte)
                isEmpty = false
            }
        }
        guard quote == nil else { throw RuleSyntaxError("a quote is not closed") }
        if !isEmpty { arguments.append(current.text) }
        return EvalCall(
            area: area, function: RuleLine.trimmed(text[..<open]).text, arguments: arguments)
    }
}
