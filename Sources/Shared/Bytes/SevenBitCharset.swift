/// ISO-2022-JP (RFC 1468) with the characters that vendors added.
enum ISO2022JP {
    /// The same text as EUC-JP.
    static func toEUC(_ bytes: Span<UInt8>) -> [UInt8] {
        enum Mode { case ascii, kana, double, supplement }
        var mode = Mode.ascii
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == 0x1B {
                let known: [(escape: StaticString, mode: Mode)] = [
                    ("\u{1B}(B", .ascii), ("\u{1B}(J", .ascii), ("\u{1B}(I", .kana), ("\u{1B}$@", .double),
                    ("\u{1B}$B", .double), ("\u{1B}$(D", .supplement),
                ]
                if let found = known.first(where: { bytes.matches($0.escape, at: place) }) {
                    mode = found.mode
                    place += found.escape.utf8CodeUnitCount
                    continue
                }
            }
            if byte == ASCII.lf { mode = .ascii }
            if byte <= 0x20 || mode == .ascii || byte > 0x7E {
                result.append(byte)
                place += 1
            } else if mode == .kana {
                result += [0x8E, byte | 0x80]
                place += 1
            } else {
                if mode == .supplement { result.append(0x8F) }
                let next = place + 1 < bytes.count ? bytes[place + 1] : 0
                result += [byte | 0x80, next | 0x80]
                place += 2
            }
        }
        return result
    }
}

/// HZ (RFC 1843), which the C library does not know.
enum HZ {
    /// The same text as GB 2312 with the high bits set.
    static func toGB(_ bytes: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var isDouble = false
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            let next = place + 1 < bytes.count ? bytes[place + 1] : 0
            if byte == UInt8(ascii: "~"), next == UInt8(ascii: "{") || next == UInt8(ascii: "}") {
                isDouble = next == UInt8(ascii: "{")
                place += 2
            } else if byte == UInt8(ascii: "~"), !isDouble, next == UInt8(ascii: "~") || next == ASCII.lf {
                if next != ASCII.lf { result.append(byte) }
                place += 2
            } else if isDouble, byte > 0x20, next > 0x20 {
                result += [byte | 0x80, next | 0x80]
                place += 2
            } else {
                if byte == ASCII.lf { isDouble = false }
                result.append(byte)
                place += 1
            }
        }
        return result
    }
}
