import Bytes

extension DateTime {
    /// Reads a date in the form that nearly all mail has, `Sat, 21 Aug 2004 12:27:41 +0200`, with or without the weekday and
    /// a comment behind it; nil for any other, which the general reader then reads.
    init?(usual bytes: Span<UInt8>) {
        var reader = UsualDate()
        guard let date = reader.read(bytes) else { return nil }
        self = date
    }
}

private struct UsualDate {
    private var place = 0

    mutating func read(_ bytes: Span<UInt8>) -> DateTime? {
        skipSpace(bytes)
        if bytes.count - place > 4, bytes[place].isASCIILetter {
            guard UsualDate.isWeekday(UsualDate.letters(bytes, place)), bytes[place + 3] == ASCII.comma else {
                return nil
            }
            place += 4
            skipSpace(bytes)
        }
        guard let day = number(bytes, 1...2), skip(ASCII.space, bytes), bytes.count - place > 4,
            let month = UsualDate.month(UsualDate.letters(bytes, place))
        else { return nil }
        place += 3
        guard skip(ASCII.space, bytes), let year = number(bytes, 4...4), skip(ASCII.space, bytes),
            let hour = number(bytes, 2...2), skip(ASCII.colon, bytes), let minute = number(bytes, 2...2),
            skip(ASCII.colon, bytes), let second = number(bytes, 2...2), skip(ASCII.space, bytes),
            year >= 1_000, day >= 1, hour < 24, minute < 60, second <= 60, let zone = zone(bytes), endsHere(bytes)
        else { return nil }
        let date = CalendarTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
        guard day <= date.daysInMonth else { return nil }
        let seconds = (hour * 60 + minute) * 60 + second
        return DateTime(epoch: date.epoch + seconds - (zone.offset ?? 0), offset: zone.offset)
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while place < bytes.count, bytes[place].isMailWhitespace { place += 1 }
    }

    private mutating func skip(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    /// A number of so many digits.
    private mutating func number(_ bytes: Span<UInt8>, _ digits: ClosedRange<Int>) -> Int? {
        var value = 0
        let start = place
        while place < bytes.count, place - start < digits.upperBound, bytes[place].isASCIIDigit {
            value = value * 10 + Int(bytes[place] &- ASCII.zero)
            place += 1
        }
        return place - start >= digits.lowerBound ? value : nil
    }

    /// `+0200`; of `-0000` the offset is nil.
    private mutating func zone(_ bytes: Span<UInt8>) -> (offset: Int?, Void)? {
        guard place < bytes.count else { return nil }
        let sign = bytes[place]
        guard sign == ASCII.plus || sign == ASCII.dash else { return nil }
        place += 1
        guard let number = number(bytes, 4...4), number % 100 < 60 else { return nil }
        let seconds = (number / 100 * 60 + number % 100) * 60
        if sign == ASCII.dash { return (number == 0 ? nil : -seconds, ()) }
        return (seconds, ())
    }

    /// Whether nothing follows but one comment without another in it.
    private mutating func endsHere(_ bytes: Span<UInt8>) -> Bool {
        let zoneEnd = place
        skipSpace(bytes)
        if place == bytes.count { return true }
        guard place > zoneEnd, skip(ASCII.openParenthesis, bytes) else { return false }
        while place < bytes.count, bytes[place] != ASCII.closeParenthesis {
            if bytes[place] == ASCII.openParenthesis || bytes[place] == ASCII.backslash { return false }
            place += 1
        }
        guard skip(ASCII.closeParenthesis, bytes) else { return false }
        skipSpace(bytes)
        return place == bytes.count
    }

    /// Three bytes in lower case, the first highest.
    private static func letters(_ bytes: Span<UInt8>, _ place: Int) -> UInt32 {
        UInt32(bytes[place] | 0x20) << 16 | UInt32(bytes[place + 1] | 0x20) << 8 | UInt32(bytes[place + 2] | 0x20)
    }

    private static func isWeekday(_ letters: UInt32) -> Bool {
        switch letters {
        case 0x6D_6F_6E, 0x74_75_65, 0x77_65_64, 0x74_68_75, 0x66_72_69, 0x73_61_74, 0x73_75_6E: true
        default: false
        }
    }

    private static func month(_ letters: UInt32) -> Int? {
        switch letters {
        case 0x6A_61_6E: 1
        case 0x66_65_62: 2
        case 0x6D_61_72: 3
        case 0x61_70_72: 4
        case 0x6D_61_79: 5
        case 0x6A_75_6E: 6
        case 0x6A_75_6C: 7
        case 0x61_75_67: 8
        case 0x73_65_70: 9
        case 0x6F_63_74: 10
        case 0x6E_6F_76: 11
        case 0x64_65_63: 12
        default: nil
        }
    }
}
