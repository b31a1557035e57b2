import Bytes
import Glibc
import Unix

/// The name of a message in a queue: letters, digits and hyphens. Those made later on a machine sort later.
package struct QueueID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// Nil for what cannot be one: a name must not lead out of the directory.
    package init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.first != ASCII.dash,
            text.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash })
        else { return nil }
        description = text
    }

    private init(unchecked text: String) { description = text }

    /// A new one, of the time in microseconds and a random part.
    package static func make() -> QueueID {
        let now = SystemClock.now
        var generator = SystemRandomNumberGenerator()
        let time = UInt64(clamping: now.seconds) &* 1_000_000 &+ UInt64(clamping: now.microseconds)
        return QueueID(unchecked: digits(time, 11) + digits(UInt64.random(in: 0..<(1 << 30), using: &generator), 6))
    }

    /// The name of the notification numbered `number` about this message: the same each time, so that one which was
    /// made just before a crash is not made again.
    package func notification(_ number: Int) -> QueueID {
        QueueID(unchecked: String(description.prefix(40)) + "-\(number)")
    }

    private static func digits(_ value: UInt64, _ count: Int) -> String {
        let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
        var rest = value
        var digits: [UInt8] = []
        for _ in 0..<count {
            digits.append(alphabet[Int(rest & 31)])
            rest >>= 5
        }
        return digits.reversed().text
    }

    package static func < (left: QueueID, right: QueueID) -> Bool { left.description < right.description }
}
