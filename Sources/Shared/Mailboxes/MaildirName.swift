import Bytes
import Synchronization
import Unix

/// The name of a Maildir file: `time.unique.host,S=size,W=size:2,FLAGS`. Names are bytes; any are accepted.
package struct MaildirName: Equatable, Sendable {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A name in `cur/` of this base and these flags.
    package init(base: some Sequence<UInt8>, flags: MessageFlags) {
        bytes = Array(base) + Array(":2,".utf8) + flags.maildirLetters
    }

    /// Everything before the flags, sizes included.
    package var base: ArraySlice<UInt8> { bytes[..<(infoStart ?? bytes.count)] }

    /// What stays the same for the life of the message: the name before flags and sizes.
    package var unique: [UInt8] {
        let base = base
        return Array(base[..<(base.firstIndex(of: ASCII.comma) ?? base.endIndex)])
    }

    /// The letters after `:2,`.
    package var flagLetters: ArraySlice<UInt8> {
        guard let start = infoStart, bytes[start...].starts(with: ":2,".utf8) else { return [] }
        let letters = bytes[(start + 3)...]
        return letters[..<(letters.firstIndex(of: ASCII.comma) ?? letters.endIndex)]
    }

    private var infoStart: Int? { bytes.lastIndex(of: ASCII.colon) }

    /// Seconds since 1970 that the name begins with: when the message was delivered; nil when it begins otherwise.
    package var deliveryTime: Int? {
        let digits = bytes.prefix { $0.isASCIIDigit }
        guard 1...12 ~= digits.count, digits.endIndex < bytes.count, bytes[digits.endIndex] == ASCII.dot else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
    }

    /// The number that the run `run` gave to the message of this name; nil when another run made it.
    package func deliveryNumber(inRun run: String) -> Int? {
        let parts = unique.split(separator: ASCII.dot, maxSplits: 2)
        guard parts.count > 1, let start = parts[1].lastIndex(of: UInt8(ascii: "Q")) else { return nil }
        let digits = parts[1][(start + 1)...].prefix { $0.isASCIIDigit }
        guard 1...18 ~= digits.count, parts[1][digits.endIndex...].elementsEqual("R\(run)".utf8) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
    }

    /// The size of the message in bytes (`,S=`), or with CRLF line ends (`,W=`), as the name says it.
    package func size(_ letter: Character) -> Int? {
        for field in base.split(separator: ASCII.comma).dropFirst() where field.starts(with: "\(letter)=".utf8) {
            let digits = field.dropFirst(2)
            guard 1...18 ~= digits.count, digits.allSatisfy(\.isASCIIDigit) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
        }
        return nil
    }

    /// Orders names by the time of delivery, then by the number of each run of digits, then by bytes.
    package struct SortKey: Comparable, Sendable {
        fileprivate let start: SortStart
        fileprivate let rest: [UInt8]

        package static func < (left: SortKey, right: SortKey) -> Bool {
            left.start.isBefore(right.start) ?? MaildirName.isBefore(left.rest[...], right.rest[...])
        }
    }

    package var sortKey: SortKey { SortKey(start: sortStart, rest: Array(base)) }

    /// What most names are told apart by.
    fileprivate struct SortStart: Equatable, Sendable {
        let time: Int
        /// The number behind `.M`, which most names have; -1 without.
        let microseconds: Int

        /// Nil when more of the name must be looked at.
        func isBefore(_ other: SortStart) -> Bool? {
            if time != other.time { return time < other.time }
            guard microseconds >= 0, other.microseconds >= 0, microseconds != other.microseconds else { return nil }
            return microseconds < other.microseconds
        }
    }

    fileprivate var sortStart: SortStart {
        guard let time = deliveryTime, let dot = bytes.firstIndex(of: ASCII.dot) else {
            return SortStart(time: 0, microseconds: -1)
        }
        var microseconds = -1
        if dot + 1 < bytes.count, bytes[dot + 1] == UInt8(ascii: "M") {
            let digits = bytes[(dot + 2)...].prefix { $0.isASCIIDigit }
            if 1...18 ~= digits.count { microseconds = digits.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) } }
        }
        return SortStart(time: time, microseconds: microseconds)
    }

    private static func isBefore(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Bool {
        var left = one
        var right = other
        while let first = left.first, let second = right.first {
            if first.isASCIIDigit, second.isASCIIDigit {
                let one = left.prefix { $0.isASCIIDigit }.drop { $0 == ASCII.zero }
                let two = right.prefix { $0.isASCIIDigit }.drop { $0 == ASCII.zero }
                if one.count != two.count { return one.count < two.count }
                if !one.elementsEqual(two) { return one.lexicographicallyPrecedes(two) }
                left = left[one.endIndex...]
                right = right[two.endIndex...]
            } else if first != second {
                return first < second
            } else {
                left = left.dropFirst()
                right = right.dropFirst()
            }
        }
        if left.isEmpty != right.isEmpty { return left.isEmpty }
        return one.lexicographicallyPrecedes(other)
    }

    /// What has names, in the order of delivery; the same as sorting by `sortKey`, without a copy of each name.
    package static func ordered<Element>(_ elements: [Element], _ name: (Element) -> MaildirName) -> [Element] {
        var places: [(start: SortStart, index: Int)] = []
        places.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() { places.append((name(element).sortStart, index)) }
        places.sort { left, right in
            left.start.isBefore(right.start)
                ?? isBefore(name(elements[left.index]).base, name(elements[right.index]).base)
        }
        return places.map { elements[$0.index] }
    }
}

/// Makes unique names for one Maildir: `time.M…P…Q….host`, each later than the one before, so that the names keep the
/// order of delivery whatever the clock or the dates do.
final class MaildirNames: Sendable {
    private struct Last {
        var seconds = 0
        var microseconds = 0
    }

    private static let count = Atomic<Int>(0)
    private static let host: [UInt8] = Host.name.utf8.flatMap { byte -> [UInt8] in
        switch byte {
        case ASCII.slash: Array("\\057".utf8)
        case ASCII.colon: Array("\\072".utf8)
        case ASCII.comma: Array("\\054".utf8)
        case ...ASCII.space: [ASCII.dash]
        default: [byte]
        }
    }

    private let last = Mutex(Last())
    /// What marks the names of one run, after an `R`.
    private let run: [UInt8]

    init(run: String?) { self.run = run.map { Array("R\($0)".utf8) } ?? [] }

    /// A name for a message delivered at `time`, or now; a time before that of the last name made is put after it.
    /// `number` tells it from the others of this run; without it, of this process.
    func make(at time: Int?, process: Int32, number: Int? = nil) -> [UInt8] {
        let wanted: (Int, Int)
        if let time {
            wanted = (Swift.min(Swift.max(time, 0), 9_999_999_999), 0)
        } else {
            let now = SystemClock.now
            wanted = (now.seconds, now.microseconds)
        }
        let (seconds, microseconds) = last.withLock { last -> (Int, Int) in
            var next = wanted
            if next <= (last.seconds, last.microseconds) { next = (last.seconds, last.microseconds + 1) }
            if next.1 > 999_999 { next = (next.0 + 1, 0) }
            last = Last(seconds: next.0, microseconds: next.1)
            return next
        }
        var name: [UInt8] = []
        name.reserveCapacity(96 + Self.host.count)
        name.append(decimal: seconds, width: 10)
        name += [ASCII.dot, UInt8(ascii: "M")]
        name.append(decimal: microseconds, width: 6)
        name.append(UInt8(ascii: "P"))
        name.append(decimal: Int(process))
        name.append(UInt8(ascii: "Q"))
        name.append(decimal: number ?? Self.count.wrappingAdd(1, ordering: .relaxed).newValue)
        name += run
        name.append(ASCII.dot)
        name += Self.host
        return name
    }

    /// Lets all names made from now on sort after those of the second `seconds`.
    func continueAfter(_ seconds: Int) {
        last.withLock { last in
            if last.seconds <= seconds { last = Last(seconds: seconds, microseconds: 999_999) }
        }
    }
}

extension Array where Element == UInt8 {
    /// Appends a number that is not negative in decimal digits, with leading zeros up to `width`.
    package mutating func append(decimal number: Int, width: Int = 1) {
        var digits = 1
        var rest = number / 10
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        if digits < width { append(contentsOf: repeatElement(ASCII.zero, count: width - digits)) }
        let start = count
        rest = number
        for _ in 0..<digits {
            append(ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        }
        self[start...].reverse()
    }

    /// Appends the bytes of a text that is known beforehand.
    mutating func append(text: StaticString) { text.withUTF8Buffer { append(contentsOf: $0) } }
}
