import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat

/// --split: the part that a message goes to.
struct MessageSplit {
    private enum Rule {
        case size(Int)
        case year
        case month
        case sender
    }

    private let rule: Rule
    /// The part that is being filled, and how much of it is, for each folder.
    private var filled: [[String]: (part: Int, bytes: Int)] = [:]

    /// Reads `size:100M`, `year`, `month` or `from`.
    init(_ text: String) throws {
        switch text.asciiLowercased {
        case "year": rule = .year
        case "month": rule = .month
        case "from": rule = .sender
        case let other:
            guard other.hasPrefix("size:"), let size = OptionValue.size(String(other.dropFirst(5))), size > 0 else {
                throw ToolFailure(.usage, "--split: \(text): give size:100M, year, month or from")
            }
            rule = .size(size)
        }
    }

    var needsSize: Bool { if case .size = rule { true } else { false } }

    /// The part of a message of `folder`. `size` is its size as far as it is known.
    mutating func part(of envelope: Envelope, _ head: MessageHead, folder: [String], size: Int) -> String {
        switch rule {
        case .size(let limit):
            // Its From_ line, blank line, and fields of the store.
            let needed = size + 160
            var (part, bytes) = filled[folder] ?? (1, 0)
            if bytes > 0, bytes + needed > limit { (part, bytes) = (part + 1, 0) }
            filled[folder] = (part, bytes + needed)
            let digits = String(part)
            return String(repeating: "0", count: max(0, 3 - digits.count)) + digits
        case .year, .month:
            guard let received = envelope.received else { return "undated" }
            let time = CalendarTime(epoch: received)
            let year = String(repeating: "0", count: max(0, 4 - String(time.year).count)) + String(time.year)
            if case .year = rule { return year }
            return "\(year)-\(time.month < 10 ? "0" : "")\(time.month)"
        case .sender:
            let address = head.fromAddress ?? envelope.sender ?? []
            let kept = address.prefix(120).map { byte -> UInt8 in
                let isPlain = byte.isASCIIAlphanumeric || Array("@.+-_=".utf8).contains(byte) || byte >= 0x80
                return isPlain ? byte.asciiLowercased : ASCII.underscore
            }
            return kept.isEmpty ? "unknown" : kept.text
        }
    }
}
