import Bytes

/// The expression of a `meta` rule: arithmetic, comparison and truth over how often other rules hit.
///
/// As in Perl, truth is "not zero", `&&` and `||` give the operand that decided, `!` gives 0 or 1.
package struct MetaExpression: Equatable, Sendable {
    /// What an expression does with its stack of numbers.
    private enum Step: Equatable, Sendable {
        case number(Double)
        case count(Int)
        case apply(Operator)
    }

    private enum Operator: Equatable, Sendable {
        case or, and, equal, unequal, less, lessOrEqual, greater, greaterOrEqual
        case plus, minus, times, divide, modulo, not, negate

        /// How tightly it binds, as in Perl.
        var precedence: Int {
            switch self {
            case .or: 1
            case .and: 2
            case .equal, .unequal: 3
            case .less, .lessOrEqual, .greater, .greaterOrEqual: 4
            case .plus, .minus: 5
            case .times, .divide, .modulo: 6
            case .not, .negate: 7
            }
        }

        var isPrefix: Bool { self == .not || self == .negate }
    }

    private var steps: [Step] = []
    /// The rules that it speaks of.
    package private(set) var names: [String] = []

    /// Why an expression is not understood: a phrase.
    package struct Problem: Error, Equatable {
        package let text: String
    }

    package init(_ text: String) throws(Problem) {
        var pending: [Operator?] = []  // nil is an open parenthesis
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
                    steps.append(.number(number))
                } else {
                    let index = places[word] ?? names.count
                    if index == names.count {
                        places[word] = index
                        names.append(word)
                    }
                    steps.append(.count(index))
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
                    steps.append(.apply(last))
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
                        steps.append(.apply(last))
                        pending.removeLast()
                    }
                    expectsOperand = true
                }
                pending.append(found)
                place += length
            }
        }
        guard !expectsOperand else {
            throw Problem(text: steps.isEmpty ? "the expression is empty" : "the expression ends with an operator")
        }
        for last in pending.reversed() {
            guard let last else { throw Problem(text: "a parenthesis is not closed") }
            steps.append(.apply(last))
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.underscore || byte == ASCII.dot || byte == ASCII.colon
    }

    private static func rest(_ bytes: [UInt8], _ place: Int) -> String { bytes[place...].prefix(20).text }

    private static func readOperator(
        _ bytes: [UInt8], _ place: Int, asPrefix: Bool
    ) throws(Problem) -> (Operator, length: Int) {
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
        for step in steps {
            switch step {
            case .number(let number): stack.append(number)
            case .count(let index): stack.append(count(index))
            case .apply(let found):
                guard let right = stack.popLast() else { return 0 }
                if found.isPrefix {
                    stack.append(found == .negate ? -right : right == 0 ? 1 : 0)
                } else {
                    guard let left = stack.popLast() else { return 0 }
                    stack.append(Self.apply(found, left, right))
                }
            }
        }
        guard let value = stack.last, value.isFinite else { return 0 }
        return value
    }

    private static func apply(_ found: Operator, _ left: Double, _ right: Double) -> Double {
        switch found {
        case .or: return left != 0 ? left : right
        case .and: return left != 0 ? right : left
        case .equal: return left == right ? 1 : 0
        case .unequal: return left != right ? 1 : 0
        case .less: return left < right ? 1 : 0
        case .lessOrEqual: return left <= right ? 1 : 0
        case .greater: return left > right ? 1 : 0
        case .greaterOrEqual: return left >= right ? 1 : 0
        case .plus: return left + right
        case .minus: return left - right
        case .times: return left * right
        case .divide: return right == 0 ? 0 : left / right
        case .modulo: return right == 0 ? 0 : left.truncatingRemainder(dividingBy: right)
        case .not, .negate: return 0
        }
    }
}
