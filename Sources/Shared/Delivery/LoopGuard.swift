import Bytes
import SMTP

/// Messages that go round in circles (RFC 5321 6.3): what the header of a message tells of its way so far.
package struct LoopGuard: Sendable {
    /// More Received fields than this mean a loop.
    package static let limit = 100

    /// How many Received fields there are.
    package private(set) var receivedCount = 0
    /// The addresses that Delivered-To fields name, in lower case: a message that is to be delivered to one of them again
    /// has come back.
    package private(set) var deliveredTo: Set<String> = []

    /// Reads the header at the front of `message`, as far as it is there.
    package init(_ message: Span<UInt8>) {
        var place = 0
        while place < message.count {
            let line = message.line(at: place)
            if line.content.isEmpty { break }
            switch message[place] | 0x20 {
            case UInt8(ascii: "r") where message.begins(at: line.content, withField: "received:"): receivedCount += 1
            case UInt8(ascii: "d") where message.begins(at: line.content, withField: "delivered-to:"):
                let value = message.array((place + 13)..<line.content.upperBound).text.trimmingWhitespace()
                let bare = value.hasPrefix("<") && value.hasSuffix(">") ? String(value.dropFirst().dropLast()) : value
                deliveredTo.insert(bare.asciiLowercased)
            default: break
            }
            place = line.next
        }
    }

    /// The message has been with too many servers, of whose fields `own` are this one's.
    package func isTooLong(own: Int = 0) -> Bool { receivedCount - own > LoopGuard.limit }

    /// The message was delivered to this address before.
    package func hasSeen(_ path: Path) -> Bool {
        !deliveredTo.isEmpty && deliveredTo.contains(path.description.asciiLowercased)
    }
}

extension Span<UInt8> {
    /// Whether a line begins with a field's name and colon, in lower case here.
    func begins(at line: Range<Int>, withField name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard line.count >= count else { return false }
        for index in 0..<count {
            // Safe: the index is below the name's count.
            guard self[line.lowerBound + index] | 0x20 == name.utf8Start[index] | 0x20 else { return false }
        }
        return true
    }
}
