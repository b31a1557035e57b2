import Bytes

/// The expression of a `meta` rule: arithmetic, comparison and truth over how often other rules hit.
///
/// As in Perl, truth is "not zero", `&&` and `||` give the operand that decided, `!` gives 0 or 1.
package struct MetaExpression: Equatable, Sendable {
    /// What it does, with `names[i]` as rule i.
    private(set) var program = MetaProgram()
    /// The rules that it speaks of.
    package private(set) var names: [String] = []

    /// Why an expression is not understood: a phrase.
    package struct Problem: Error, Equatable {
        package let text: String
    }

    package init(_ text: String) throws(Problem) {
        var pending: [MetaOperator?] = []  // nil is an open parenthesis
        var expectsOperand = true
        var places: [String: Int] = [:]
        let bytes = Array(text.utf8)
        var place = 0

        while place < bytes.count {
            let byte = bytes[place]
            if byte.isMailWhitespace {
                place += 1
            } else if byte.isASCIIAlphanumeric || byte == ASCII.underscore || byte == ASCII.dot {
                guard expectsOperand else {
                    throw Problem(text: "an operator is missing before \(Self.rest(bytes, place))")
                }
                var end = place
                while end < bytes.count, Self.isWord(bytes[end]) { end += 1 }
                let word = bytes[place..<end].text
                if byte.isASCIIDigit || byte == ASCII.dot {
                    guard let number = Double(word), number.isFinite else {
                        throw Problem(text: "\(word) is no number")
                    }
                    program.append(number: number)
                } else {
                    let index = places[word] ?? names.count
                    if index == names.count {
                        places[word] = index
                        names.append(word)
                    }
                    program.append(rule: index)
                }
                place = end
                expectsOperand = false
            } else if byte == ASCII.openParenthesis {
                guard expectsOperand else { throw Problem(text: "an operator is missing before a parenthesis") }
                pending.append(nil)
                place += 1
            } else if byte == ASCII.closeParenthesis {
                guard !expectsOperand else { throw Problem(text: "a name is missing before a closing parenthesis") }
                while case .some(.some(let last)) = pending.last {
                    program.append(last)
                    pending.removeLast()
                }
                guard pending.popLast() != nil else {
                    throw Problem(text: "a parenthesis is closed that was not opened")
                }
                place += 1
            } else {
                let (found, length) = try Self.readOperator(bytes, place, asPrefix: expectsOperand)
                if !found.isPrefix {
                    while case .some(.some(let last)) = pending.last, last.precedence >= found.precedence {
                        program.append(last)
                        pending.removeLast()
                    }
                    expectsOperand = true
                }
                pending.append(found)
                place += length
            }
        }
        guard !expectsOperand else {
            throw Problem(text: program.isEmpty ? "the expression is empty" : "the expression ends with an operator")
        }
        for last in pending.reversed() {
            guard let last else { throw Problem(text: "a parenthesis is not closed") }
            program.append(last)
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.underscore || byte == ASCII.dot || byte == ASCII.colon
    }

    private static func rest(_ bytes: [UInt8], _ place: Int) -> String { bytes[place...].prefix(20).text }

    private static func readOperator(
        _ bytes: [UInt8], _ place: Int, asPrefix: Bool
    ) throws(Problem) -> (MetaOperator, length: Int) {
        let next = place + 1 < bytes.count ? bytes[place + 1] : 0
        if asPrefix {
            switch bytes[place] {
            case UInt8(ascii: "!"): return (.not, 1)
            case ASCII.dash: return (.negate, 1)
            default: throw Problem(text: "a name or number is missing before \(rest(bytes, place))")
            }
        }
        switch (bytes[place], next) {
        case (UInt8(ascii: "|"), UInt8(ascii: "|")): return (.or, 2)
        case (UInt8(ascii: "&"), UInt8(ascii: "&")): return (.and, 2)
        case (UInt8(ascii: "="), UInt8(ascii: "=")): return (.equal, 2)
        case (UInt8(ascii: "!"), UInt8(ascii: "=")): return (.unequal, 2)
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): return (.lessOrEqual, 2)
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): return (.greaterOrEqual, 2)
        case (UInt8(ascii: "<"), _): return (.less, 1)
        case (UInt8(ascii: ">"), _): return (.greater, 1)
        case (ASCII.plus, _): return (.plus, 1)
        case (ASCII.dash, _): return (.minus, 1)
        case (ASCII.asterisk, _): return (.times, 1)
        case (ASCII.slash, _): return (.divide, 1)
        case (ASCII.percent, _): return (.modulo, 1)
        default: throw Problem(text: "not understood from \(rest(bytes, place))")
        }
    }

    /// The value, when rule `names[i]` hit `count(i)` times. What has no value (a division by zero) is 0.
    package func value(_ count: (Int) -> Double) -> Double {
        var stack: [Double] = []
        return program.value(0..<program.count, &stack, hits: names.indices.map(count))
    }
}
