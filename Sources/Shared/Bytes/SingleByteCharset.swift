import Glibc
import Synchronization

/// A charset in which each byte is a character by itself, or none: a table, made once from the C library's converter.
final class SingleByteCharset: Sendable {
    /// The UTF-8 of each byte: its length in the lowest byte, its bytes above; 0 for a byte without a character.
    private let table: [UInt32]

    private static let all = Mutex<[String: SingleByteCharset?]>([:])
    private static let mostKept = 128

    /// The table of a charset; nil for any other kind, and when the C library does not know it.
    static func named(_ name: String) -> SingleByteCharset? {
        if let known = all.withLock({ $0[name] }) { return known }
        let made = SingleByteCharset(name)
        all.withLock { all in
            if all.count >= mostKept { all.removeAll() }
            all[name] = .some(made)
        }
        return made
    }

    private init?(_ name: String) {
        guard let handle = Iconv.take(name) else { return nil }
        defer { Iconv.put(handle) }
        for byte in UInt8.min...UInt8.max where !SingleByteCharset.standsAlone(byte, handle) { return nil }
        var table: [UInt32] = []
        for byte in UInt8.min...UInt8.max {
            guard let result = CharsetVariant.convert([byte].span, from: name) else { return nil }
            let character = result.problem == nil ? Array(result.text.utf8) : []
            guard character.count <= 3 else { return nil }
            var entry = UInt32(character.count)
            for (index, byte) in character.enumerated() { entry |= UInt32(byte) << (8 * UInt32(index + 1)) }
            table.append(entry)
        }
        self.table = table
    }

    /// Whether a byte is a character, or an error, whatever stands around it.
    private static func standsAlone(_ byte: UInt8, _ handle: Iconv.Handle) -> Bool {
        var input = CChar(bitPattern: byte)
        handle.reset()
        return withUnsafeMutablePointer(to: &input) { input in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8) { output in
                var place: UnsafeMutablePointer<CChar>? = input
                var left = 1
                let (written, code) = handle.step(&place, &left, output, isFlushing: false)
                return code == 0 ? written > 0 && left == 0 : code == EILSEQ
            }
        }
    }

    /// The text in UTF-8, U+FFFD for each byte without a character; whether there was one.
    func decode(_ bytes: Span<UInt8>) -> (text: [UInt8], isBroken: Bool) {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + bytes.count / 2)
        var isBroken = false
        for index in 0..<bytes.count {
            let character = table[Int(bytes[index])]
            guard character & 0xFF > 0 else {
                isBroken = true
                text.append(contentsOf: [0xEF, 0xBF, 0xBD])
                continue
            }
            text.append(UInt8(truncatingIfNeeded: character >> 8))
            if character & 0xFF > 1 { text.append(UInt8(truncatingIfNeeded: character >> 16)) }
            if character & 0xFF > 2 { text.append(UInt8(truncatingIfNeeded: character >> 24)) }
        }
        return (text, isBroken)
    }
}
