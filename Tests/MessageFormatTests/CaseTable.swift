import Foundation
import TestSupport

/// A data file of cases, a line each: `input => expected`, with `\t`, `\r`, `\n`, `\xHH` and `\\` for other characters;
/// lines that begin with `#` are comments.
struct CaseTable {
    struct Case: Sendable, CustomStringConvertible {
        let input: [UInt8]
        let expected: String
        var description: String { String(decoding: input, as: UTF8.self) }
    }

    static func read(_ name: String) -> [Case] {
        let text = (try? TestData.bytes(name, #filePath)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
            guard let arrow = line.range(of: " =>") else { return nil }
            let expected = line[arrow.upperBound...]
            return Case(
                input: unescaped(String(line[..<arrow.lowerBound])),
                expected: String(expected.hasPrefix(" ") ? expected.dropFirst() : expected))
        }
    }

    static func unescaped(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "\\"), place + 1 < bytes.count else {
                result.append(bytes[place])
                place += 1
                continue
            }
            switch bytes[place + 1] {
            case UInt8(ascii: "t"): result.append(9)
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "x") where place + 3 < bytes.count:
                let digits = String(decoding: bytes[(place + 2)...(place + 3)], as: UTF8.self)
                result.append(UInt8(digits, radix: 16) ?? 0)
                place += 2
            default: result.append(bytes[place + 1])
            }
            place += 2
        }
        return result
    }
}
