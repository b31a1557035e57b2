import Bytes
import CommandLineTool
import Unix

/// What --script says: bytes to send, and replies to expect, a line each.
///
///     # what a server may not take as the end of a message
///     S: 220
///     C: EHLO me.example
///     S: 250
///     R: MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n
///     S: 250
///     S: 250
///     S: 354
///     R: Subject: x\r\n\r\nhello\n.\r\nMAIL FROM:<c@example.org>\r\n
///     S: none 2s
///     C: .
///     S: 250|550
///     C: QUIT
///     S: 221
///     S: close
struct Script: Sendable {
    enum Step: Equatable, Sendable {
        /// Bytes as they are.
        case send([UInt8])
        /// A reply whose code begins with one of these digits; none: any reply.
        case reply([String])
        /// The server closes the connection.
        case close
        /// No reply for so long.
        case silence(Duration)
        case wait(Duration)
        case startTLS
    }

    let steps: [(line: Int, step: Step)]

    init(_ bytes: [UInt8], name: String) throws(ToolFailure) {
        var steps: [(line: Int, step: Step)] = []
        for (index, raw) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let line = raw.last == ASCII.cr ? raw.dropLast() : raw
            guard !line.allSatisfy(\.isMailWhitespace), line.first != UInt8(ascii: "#") else { continue }
            guard let step = Self.step(Array(line)) else {
                throw ToolFailure(
                    .dataError,
                    "\(name):\(index + 1): is no line of a script: C: and R: send, S: expects, W: waits, T: begins TLS")
            }
            steps.append((index + 1, step))
        }
        self.steps = steps
    }

    private static func step(_ line: [UInt8]) -> Step? {
        guard line.count >= 2, line[1] == ASCII.colon else { return nil }
        let rest = line.dropFirst(line.count > 2 && line[2] == ASCII.space ? 3 : 2)
        let words = rest.text.split(separator: " ").map(String.init)
        switch line[0].asciiUppercased {
        case UInt8(ascii: "C"): return unescape(rest).map { .send($0 + [ASCII.cr, ASCII.lf]) }
        case UInt8(ascii: "R"): return unescape(rest).map { .send($0) }
        case UInt8(ascii: "T"): return words.isEmpty ? .startTLS : nil
        case UInt8(ascii: "W"): return words.count == 1 ? OptionValue.duration(words[0]).map { .wait($0) } : nil
        case UInt8(ascii: "S"): return expectation(words)
        default: return nil
        }
    }

    private static func expectation(_ words: [String]) -> Step? {
        switch words.first?.asciiLowercased {
        case nil, "*": return .reply([])
        case "close": return .close
        case "none": return OptionValue.duration(words.count > 1 ? words[1] : "1s").map { .silence($0) }
        case let codes?:
            // What follows the code is for the reader.
            let codes = codes.split(separator: "|", omittingEmptySubsequences: false).map { code in
                String(code.prefix { $0 != "-" })
            }
            let isValid = codes.allSatisfy { code in
                (1...3).contains(code.utf8.count) && code.utf8.allSatisfy(\.isASCIIDigit)
            }
            return isValid ? .reply(codes) : nil
        }
    }

    /// `\r \n \t \0 \\ \xHH`; nil for another escape.
    static func unescape(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == ASCII.backslash else {
                result.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): result.append(ASCII.cr)
            case UInt8(ascii: "n"): result.append(ASCII.lf)
            case UInt8(ascii: "t"): result.append(ASCII.tab)
            case UInt8(ascii: "0"): result.append(ASCII.nul)
            case ASCII.backslash: result.append(ASCII.backslash)
            case UInt8(ascii: "x"):
                guard let high = rest.popFirst()?.hexadecimalValue, let low = rest.popFirst()?.hexadecimalValue else {
                    return nil
                }
                result.append(high << 4 | low)
            default: return nil
            }
        }
        return result
    }
}
