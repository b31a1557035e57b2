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
            case UInt8(ascii: "r") where LoopGuard.begins(message, line.content, "received:"): receivedCount += 1
            case UInt8(ascii: "d") where LoopGuard.begins(message, line.content, "delivered-to:"):
                let value = message.array((place + 13)..<line.content.upperBound).text.trimmingWhitespace()
                let bare = value.hasPrefix("<") && value.hasSuffix(">") ? String(value.dropFirst().dropLast()) : value
                deliveredTo.insert(bare.asciiLowercased)
            default: break
            }
            place = line.next
        }
    }

    private static func begins(_ message: Span<UInt8>, _ line: Range<Int>, _ name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard line.count >= count else { return false }
        return name.withUTF8Buffer { name in
            for index in 0..<count where message[line.lowerBound + index] | 0x20 != name[index] | 0x20 { return false }
            return true
        }
    }

    /// The message has been with too many servers.
    package var isTooLong: Bool { receivedCount > LoopGuard.limit }

    /// The message was delivered to this address before.
    package func hasSeen(_ path: Path) -> Bool {
        !deliveredTo.isEmpty && deliveredTo.contains(path.description.asciiLowercased)
    }
}
