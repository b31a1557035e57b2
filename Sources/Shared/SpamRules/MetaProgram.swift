/// An operator of meta rules.
enum MetaOperator: Int32, Sendable {
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

/// The steps of one or many meta expressions in postfix order, over a stack of numbers.
struct MetaProgram: Equatable, Sendable {
    /// A number and, in the lowest two bits, what it means: the place of a constant, a rule, an operator.
    private var codes: [Int32] = []
    private var constants: [Double] = []

    private static let constant: Int32 = 0
    private static let rule: Int32 = 1
    private static let operation: Int32 = 2

    init() {}

    var count: Int { codes.count }
    var isEmpty: Bool { codes.isEmpty }

    mutating func append(number: Double) {
        codes.append(Int32(constants.count) << 2 | Self.constant)
        constants.append(number)
    }

    mutating func append(rule: Int) { codes.append(Int32(truncatingIfNeeded: rule) << 2 | Self.rule) }

    mutating func append(_ operation: MetaOperator) { codes.append(operation.rawValue << 2 | Self.operation) }

    /// Appends another program, whose rules are named by other numbers here; a rule without one never hits.
    mutating func append(_ other: MetaProgram, rules: [Int?]) {
        for code in other.codes {
            let value = Int(code >> 2)
            switch code & 3 {
            case Self.constant: append(number: other.constants[value])
            case Self.rule: if let rule = rules[value] { append(rule: rule) } else { append(number: 0) }
            default: codes.append(code)
            }
        }
    }

    /// The value of the steps in `range`, when rule i hit `hits[i]` times. What has no value is 0.
    func value(_ range: Range<Int>, _ stack: inout [Double], hits: [Double]) -> Double {
        stack.removeAll(keepingCapacity: true)
        for place in range {
            let code = codes[place]
            let value = Int(code >> 2)
            switch code & 3 {
            case Self.constant: stack.append(constants[value])
            case Self.rule: stack.append(hits[value])
            default:
                guard let operation = MetaOperator(rawValue: code >> 2), let right = stack.popLast() else { return 0 }
                if operation.isPrefix {
                    stack.append(operation == .negate ? -right : right == 0 ? 1 : 0)
                } else {
                    guard let left = stack.popLast() else { return 0 }
                    stack.append(Self.apply(operation, left, right))
                }
            }
        }
        guard let value = stack.last, value.isFinite else { return 0 }
        return value
    }

    private static func apply(_ operation: MetaOperator, _ left: Double, _ right: Double) -> Double {
        switch operation {
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

    func write(to image: inout RuleImageWriter) {
        image.put(codes)
        image.put(constants)
    }

    /// Rules are below `limit`.
    init(from image: inout RuleImageReader, rules limit: Int) throws(RuleImageError) {
        codes = try image.int32s()
        constants = try image.doubles()
        for code in codes {
            let value = Int(code >> 2)
            let isSound =
                switch code & 3 {
                case Self.constant: value >= 0 && value < constants.count
                case Self.rule: value >= 0 && value < limit
                case Self.operation: MetaOperator(rawValue: code >> 2) != nil
                default: false
                }
            guard isSound else { throw RuleImageError() }
        }
    }
}
