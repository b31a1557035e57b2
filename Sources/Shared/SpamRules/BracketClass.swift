import Bytes

/// Classes of bytes as patterns write them.
enum BracketClass {
    /// What a letter after a backslash stands for, where that is a class.
    static func named(_ letter: UInt8) -> ByteSet? {
        switch letter {
        case UInt8(ascii: "d"): digits
        case UInt8(ascii: "D"): digits.inverted
        case UInt8(ascii: "w"): wordBytes
        case UInt8(ascii: "W"): wordBytes.inverted
        case UInt8(ascii: "s"): spaces
        case UInt8(ascii: "S"): spaces.inverted
        // Few use these; all bytes are more than they match.
        case UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "v"), UInt8(ascii: "V"), UInt8(ascii: "N"): .all
        default: nil
        }
    }

    private static let digits = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
    private static let letters = ByteSet(UInt8(ascii: "a")...UInt8(ascii: "z")).caseless
    private static let wordBytes = digits.union(letters).union(ByteSet([ASCII.underscore]))
    private static let spaces = ByteSet([9, 10, 11, 12, 13, 32])

    private static func posix(_ name: ArraySlice<UInt8>) -> ByteSet {
        switch name.text {
        case "alpha", "upper", "lower": letters
        case "digit": digits
        case "alnum": letters.union(digits)
        case "word": wordBytes
        case "space": spaces
        default: .all
        }
    }

    /// Reads what follows `[`, with the closing bracket; nil when it is not understood.
    static func read(_ bytes: [UInt8], _ place: inout Int) -> ByteSet? {
        var members = ByteSet.none
        var isNegated = false
        if place < bytes.count, bytes[place] == UInt8(ascii: "^") {
            isNegated = true
            place += 1
        }
        var isFirst = true
        while place < bytes.count {
            let byte = bytes[place]
            if byte == ASCII.closeBracket, !isFirst {
                place += 1
                return isNegated ? members.inverted : members
            }
            isFirst = false
            place += 1
            if byte == ASCII.openBracket, place < bytes.count, bytes[place] == ASCII.colon {
                guard let end = bytes[place...].firstIndex(of: ASCII.closeBracket), end > place + 1,
                    bytes[end - 1] == ASCII.colon
                else { return nil }
                // What is not known is all bytes; the inverse of that would be less than the class has.
                let name = bytes[(place + 1)..<(end - 1)]
                let set = posix(name)
                if isNegated, set == .all || ["upper", "lower"].contains(name.text) { return nil }
                members = members.union(set)
                place = end + 1
                continue
            }
            var low: UInt8? = byte
            if byte == ASCII.backslash {
                guard place < bytes.count else { return nil }
                if let set = named(bytes[place]) {
                    if isNegated, set == .all { return nil }
                    members = members.union(set)
                    place += 1
                    low = nil
                } else {
                    guard let value = member(bytes, &place) else { return nil }
                    low = value
                }
            }
            guard place + 1 < bytes.count, bytes[place] == ASCII.dash, bytes[place + 1] != ASCII.closeBracket else {
                if let low { members.insert(low) }
                continue
            }
            // After a class, a dash is one.
            guard let low else { continue }
            place += 1
            var high = bytes[place]
            place += 1
            if high == ASCII.backslash {
                guard place < bytes.count, named(bytes[place]) == nil, let value = member(bytes, &place) else {
                    return nil
                }
                high = value
            } else if high == ASCII.openBracket, place < bytes.count, bytes[place] == ASCII.colon {
                return nil
            }
            guard low <= high else { return nil }
            for value in low...high { members.insert(value) }
        }
        return nil
    }

    private static func member(_ bytes: [UInt8], _ place: inout Int) -> UInt8? {
        if bytes[place] == UInt8(ascii: "b") {
            place += 1
            return 8
        }
        if (UInt8(ascii: "1")...UInt8(ascii: "7")).contains(bytes[place]) { return octal(bytes, &place) }
        return escaped(bytes, &place)
    }

    /// Up to three octal digits; nil when they are more than a byte.
    private static func octal(_ bytes: [UInt8], _ place: inout Int) -> UInt8? {
        var value = 0
        var digits = 0
        while digits < 3, place < bytes.count, (ASCII.zero...UInt8(ascii: "7")).contains(bytes[place]) {
            value = value << 3 | Int(bytes[place] - ASCII.zero)
            place += 1
            digits += 1
        }
        return UInt8(exactly: value)
    }

    /// The byte that an escape stands for; the place is behind the backslash. Nil when it is none.
    static func escaped(_ bytes: [UInt8], _ place: inout Int) -> UInt8? {
        guard place < bytes.count else { return nil }
        let byte = bytes[place]
        if byte == ASCII.zero { return octal(bytes, &place) }
        place += 1
        switch byte {
        case UInt8(ascii: "n"): return ASCII.lf
        case UInt8(ascii: "r"): return ASCII.cr
        case UInt8(ascii: "t"): return ASCII.tab
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "a"): return 7
        case UInt8(ascii: "e"): return ASCII.escape
        case UInt8(ascii: "x"):
            var value: UInt8 = 0
            var digits = 0
            while digits < 2, place < bytes.count, let digit = bytes[place].hexadecimalValue {
                value = value << 4 | digit
                place += 1
                digits += 1
            }
            return place < bytes.count && digits == 0 && bytes[place] == UInt8(ascii: "{") ? nil : value
        default: return byte.isASCIIAlphanumeric ? nil : byte
        }
    }
}
