import Bytes

/// One packet of the milter protocol: a length of 4 bytes, a command letter, data.
package struct MilterPacket: Equatable, Sendable {
    package let command: UInt8
    package let data: [UInt8]

    package init(_ command: Character, _ data: [UInt8] = []) {
        self.command = command.asciiValue ?? 0
        self.data = data
    }

    init(command: UInt8, data: [UInt8]) {
        self.command = command
        self.data = data
    }

    /// The packet as it is sent.
    package var bytes: [UInt8] { MilterPacket.number(data.count + 1) + [command] + data }

    /// 4 bytes, the most significant first.
    static func number(_ value: Int) -> [UInt8] {
        let number = UInt32(truncatingIfNeeded: value)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }

    /// A text with its NUL; a NUL in it is left out.
    static func string(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0 } + [0] }

    package enum Reading: Equatable, Sendable {
        case needsMore
        /// Longer than a packet may be, or empty.
        case malformed
        case packet(MilterPacket, length: Int)
    }

    private static let sizeLimit = 64 << 20

    /// Reads the packet at the front of what has come in.
    package static func read(_ input: Span<UInt8>) -> Reading {
        guard input.count >= 4 else { return .needsMore }
        var size = 0
        for index in 0..<4 { size = size << 8 | Int(input[index]) }
        guard size >= 1, size <= sizeLimit else { return .malformed }
        guard input.count >= 4 + size else { return .needsMore }
        return .packet(
            MilterPacket(command: input[4], data: input.array(5..<(4 + size))), length: 4 + size)
    }
}
