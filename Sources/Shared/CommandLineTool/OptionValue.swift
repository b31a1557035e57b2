import Bytes

/// How the arguments of options are read.
package enum OptionValue {
    static func integer(_ given: [String?], _ range: ClosedRange<Int>) throws(OptionError) -> Int {
        guard let last = given.last, let text = last, let value = Int(text) else {
            throw OptionError("must be a whole number")
        }
        guard range.contains(value) else {
            throw OptionError(
                range.upperBound == .max
                    ? "must be at least \(range.lowerBound)"
                    : "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    static func size(_ given: [String?]) throws(OptionError) -> Int {
        guard let last = given.last, let text = last, let value = size(text) else {
            throw OptionError("must be a size such as 1000, 64K, 10M or 2G")
        }
        return value
    }

    static func duration(_ given: [String?]) throws(OptionError) -> Duration {
        guard let last = given.last, let text = last, let value = duration(text) else {
            throw OptionError("must be a time such as 30, 500ms, 5s, 2m, 1h or 7d")
        }
        return value
    }

    /// `1000`, `64K`, `10M`, `2G` (powers of 1024) in bytes; nil for anything else.
    package static func size(_ text: String) -> Int? {
        let suffixes: [(String, Int)] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)]
        var digits = text.asciiLowercased
        if digits.hasSuffix("ib") { digits.removeLast(2) } else if digits.hasSuffix("b") { digits.removeLast() }
        var factor = 1
        for (suffix, value) in suffixes where digits.hasSuffix(suffix) {
            digits.removeLast()
            factor = value
            break
        }
        guard let number = Int(digits), number >= 0 else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// `30`, `500ms`, `5s`, `2m`, `1h`, `7d`, with decimals; nil for anything else.
    package static func duration(_ text: String) -> Duration? {
        let suffixes: [(String, Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("", 1),
        ]
        for (suffix, factor) in suffixes where text.hasSuffix(suffix) {
            guard let number = Double(text.dropLast(suffix.count)), number >= 0, number * factor < 1e9 else {
                return nil
            }
            return .milliseconds(Int(number * factor * 1_000))
        }
        return nil
    }
}
