import Bytes

/// Why a text is no domain name.
package enum DomainNameError: Error, Equatable, CustomStringConvertible {
    case empty, emptyLabel, labelTooLong, nameTooLong, badEscape

    package var description: String {
        switch self {
        case .empty: "the name is empty"
        case .emptyLabel: "a label is empty"
        case .labelTooLong: "a label is longer than 63 bytes"
        case .nameTooLong: "the name is longer than 253 bytes"
        case .badEscape: "an escape is neither \\DDD nor a character"
        }
    }
}

/// A domain name in wire form (RFC 1035 3.1): labels with their lengths before them, the empty root label last.
///
/// ASCII letters are kept in lower case, because names compare case-blind (RFC 4343).
package struct DomainName: Hashable, Sendable, CustomStringConvertible {
    /// At most 255 bytes, the root label among them.
    package let wire: [UInt8]

    /// The root, `.`.
    package static let root = DomainName(lowercasedWire: [0])

    /// Takes bytes that are known to be a name in wire form and in lower case.
    init(lowercasedWire wire: [UInt8]) { self.wire = wire }

    /// Reads a name in presentation form (RFC 1035 5.1): labels divided by dots, `\DDD` and `\X` as escapes, with or
    /// without a dot at the end.
    package init(_ text: String) throws(DomainNameError) {
        self.init(lowercasedWire: try DomainName.wire(of: Array(text.utf8)).bytes)
    }

    /// As `init(_:)`, but what does not end with a dot gets `origin` behind it.
    package init(_ text: [UInt8], relativeTo origin: DomainName) throws(DomainNameError) {
        let (bytes, isAbsolute) = try DomainName.wire(of: text)
        if isAbsolute || origin == .root {
            self.init(lowercasedWire: bytes)
            return
        }
        guard bytes.count - 1 + origin.wire.count <= 255 else { throw .nameTooLong }
        self.init(lowercasedWire: bytes.dropLast() + origin.wire)
    }

    /// All bytes at once: names are hashed for every question.
    package func hash(into hasher: inout Hasher) { wire.withUnsafeBytes { hasher.combine(bytes: $0) } }

    private static func wire(of text: [UInt8]) throws(DomainNameError) -> (bytes: [UInt8], isAbsolute: Bool) {
        if text.isEmpty { throw .empty }
        if text == [ASCII.dot] { return ([0], true) }
        var wire: [UInt8] = [0]
        wire.reserveCapacity(text.count + 2)
        var labelStart = 0
        var index = 0
        while index < text.count {
            var byte = text[index]
            index += 1
            if byte == ASCII.dot {
                let length = wire.count - labelStart - 1
                if length == 0 { throw .emptyLabel }
                wire[labelStart] = UInt8(truncatingIfNeeded: length)
                labelStart = wire.count
                wire.append(0)
                continue
            }
            if byte == ASCII.backslash { byte = try escaped(text, &index) }
            wire.append(byte.asciiLowercased)
            if wire.count - labelStart > 64 { throw .labelTooLong }
            if wire.count > 255 { throw .nameTooLong }
        }
        let length = wire.count - labelStart - 1
        if length == 0 { return (wire, true) }
        wire[labelStart] = UInt8(truncatingIfNeeded: length)
        wire.append(0)
        if wire.count > 255 { throw .nameTooLong }
        return (wire, false)
    }

    /// The byte that an escape stands for; `index` is after the backslash.
    private static func escaped(_ text: [UInt8], _ index: inout Int) throws(DomainNameError) -> UInt8 {
        guard index < text.count else { throw .badEscape }
        let first = text[index]
        guard first.isASCIIDigit else {
            index += 1
            return first
        }
        guard index + 3 <= text.count else { throw .badEscape }
        var value = 0
        for digit in text[index..<(index + 3)] {
            guard digit.isASCIIDigit else { throw .badEscape }
            value = value * 10 + Int(digit &- ASCII.zero)
        }
        index += 3
        guard let byte = UInt8(exactly: value) else { throw .badEscape }
        return byte
    }

    /// The labels, leftmost first, without the root.
    package var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var index = 0
        while index < wire.count, wire[index] > 0 {
            let end = min(index + 1 + Int(wire[index]), wire.count)
            labels.append(wire[(index + 1)..<end])
            index = end
        }
        return labels
    }

    /// The name without its leftmost label; nil for the root.
    package var parent: DomainName? {
        guard let length = wire.first, length > 0, wire.count > Int(length) + 1 else { return nil }
        return DomainName(lowercasedWire: Array(wire[(Int(length) + 1)...]))
    }

    /// The name with `*` in place of the leftmost label; nil for the root.
    var wildcard: DomainName? {
        parent.map { DomainName(lowercasedWire: [1, ASCII.asterisk] + $0.wire) }
    }

    package var isRoot: Bool { wire.count == 1 }

    /// False when a label holds a dot, a space or a byte outside of printable ASCII: such a host is shown escaped and
    /// never used.
    package var isPlain: Bool {
        var index = 0
        while index < wire.count {
            let end = min(index + 1 + Int(wire[index]), wire.count)
            for byte in wire[(index + 1)..<end] where byte <= ASCII.space || byte >= ASCII.delete || byte == ASCII.dot {
                return false
            }
            index = end
        }
        return true
    }

    /// Presentation form without the dot at the end; `.` for the root. Bytes that have a meaning there or are not
    /// printable stand as `\DDD`.
    package var description: String {
        if isRoot { return "." }
        var text: [UInt8] = []
        text.reserveCapacity(wire.count)
        var index = 0
        while index < wire.count, wire[index] > 0 {
            if !text.isEmpty { text.append(ASCII.dot) }
            let end = min(index + 1 + Int(wire[index]), wire.count)
            for byte in wire[(index + 1)..<end] {
                switch byte {
                case 0...ASCII.space, ASCII.delete..., ASCII.dot, ASCII.backslash, ASCII.quote, ASCII.semicolon:
                    text.append(ASCII.backslash)
                    text.append(ASCII.zero + byte / 100)
                    text.append(ASCII.zero + byte / 10 % 10)
                    text.append(ASCII.zero + byte % 10)
                default: text.append(byte)
                }
            }
            index = end
        }
        return text.text
    }
}
