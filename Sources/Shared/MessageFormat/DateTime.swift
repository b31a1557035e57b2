import Bytes

/// A date of a header field.
package struct DateTime: Equatable, Sendable {
    /// Seconds since 1970-01-01 UTC.
    package var epoch: Int
    /// Seconds east of UTC; nil when the zone is `-0000`, unknown, a military letter, or not there. Then the time is
    /// taken as UTC.
    package var offset: Int?

    package init(epoch: Int, offset: Int?) {
        self.epoch = epoch
        self.offset = offset
    }

    /// Reads an unfolded value: RFC 5322 with its obsolete forms, asctime, ISO 8601, and what mail has besides; nil when
    /// it cannot be read.
    package init?(_ value: [UInt8]) {
        if let usual = DateTime(usual: value.span) {
            self = usual
        } else {
            self.init(general: value)
        }
    }

    /// Reads any form, word by word.
    init?(general value: [UInt8]) {
        guard let parsed = DateParser.parse(value) else { return nil }
        self = parsed
    }

    /// The date and time where the clock shows `offset`; UTC when that is unknown.
    package var local: CalendarTime { CalendarTime(epoch: epoch + (offset ?? 0)) }

    /// `+0200`; an unknown zone is `-0000`.
    package var zone: String {
        let seconds = offset ?? 0
        let minutes = seconds.magnitude / 60
        let sign = seconds < 0 || offset == nil ? "-" : "+"
        return "\(sign)\(CalendarTime.padded(Int(minutes / 60), "0"))\(CalendarTime.padded(Int(minutes % 60), "0"))"
    }

    /// `Sat, 21 Aug 2004 12:27:41 +0200`, in the zone of `offset` (UTC written as `+0000`, an unknown one as `-0000`).
    package var text: String {
        let local = local
        return "\(CalendarTime.weekdayNames[local.weekday]), \(local.day) "
            + "\(CalendarTime.monthNames[local.month - 1]) \(CalendarTime.padded(local.year, "0", 4)) "
            + "\(local.time) \(zone)"
    }
}

/// Reads a date word by word: what each word is tells its form, so that the order hardly matters.
private struct DateParser {
    /// No date is longer, in bytes.
    private static let longest = 1_000

    private var day: Int?
    private var month: Int?
    private var year: Int?
    private var seconds: Int?
    private var zone: Int?
    private var hasZone = false
    /// The day was written as ISO 8601 has it, where `Z` is UTC.
    private var isISO = false
    private var hasUnknownWord = false

    static func parse(_ value: [UInt8]) -> DateTime? {
        guard value.contains(ASCII.openParenthesis) || hasLooseColon(value) else { return parse(value.span) }
        let plain = withTightColons(FieldTokens.withoutComments(value))
        return parse(plain.span)
    }

    /// White space beside a colon, which obsolete syntax allows in a time (RFC 5322 4.3, A.6.3).
    private static func hasLooseColon(_ value: [UInt8]) -> Bool {
        guard let colon = value.firstIndex(of: ASCII.colon) else { return false }
        return (colon > 0 && value[colon - 1].isMailWhitespace)
            || (colon + 1 < value.count && value[colon + 1].isMailWhitespace)
    }

    private static func withTightColons(_ value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in value {
            if byte == ASCII.colon {
                while result.last?.isMailWhitespace ?? false { result.removeLast() }
            }
            if byte.isMailWhitespace, result.last == ASCII.colon { continue }
            result.append(byte)
        }
        return result
    }

    private static func parse(_ bytes: Span<UInt8>) -> DateTime? {
        guard bytes.count <= longest else { return nil }
        var parser = DateParser()
        var place = 0
        while place < bytes.count {
            if isSeparator(bytes[place]) {
                place += 1
                continue
            }
            let start = place
            while place < bytes.count, !isSeparator(bytes[place]) { place += 1 }
            if !parser.take(bytes.extracting(start..<place)) {
                // Words behind a complete date do not spoil it.
                return parser.seconds == nil ? nil : parser.result
            }
        }
        return parser.result
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte.isMailWhitespace || byte == ASCII.comma || byte == ASCII.quote || byte == ASCII.semicolon
    }

    private mutating func take(_ word: Span<UInt8>) -> Bool {
        let first = word[0]
        if word.firstIndex(of: ASCII.colon) != nil {
            if word.count > 10, word[4] == ASCII.dash { return takeISO(word) }
            return takeTime(word)
        }
        if first == ASCII.plus, word.count > 1, word[1] == ASCII.dash {
            return takeZone(word.extracting(1..<word.count))
        }
        if first == ASCII.plus || first == ASCII.dash { return takeZone(word) }
        if word.isNumber(0..<word.count) { return takeNumber(word) }
        if first.isASCIIDigit {
            if word.count == 10, word[4] == ASCII.dash || word[4] == ASCII.slash { return takeISO(word) }
            if word.count >= 13, word[8] | 0x20 == UInt8(ascii: "t") { return takeBasicISO(word) }
            return word.firstIndex(of: ASCII.dot) != nil ? takeDotted(word) : takeDashed(word)
        }
        return takeName(word)
    }

    /// `2004-08-21`, `2004/08/21`, or with `T` and a time behind it.
    private mutating func takeISO(_ word: Span<UInt8>) -> Bool {
        guard year == nil, day == nil, word.isNumber(0..<4), word.isNumber(5..<7), word[7] == word[4],
            word.isNumber(8..<10)
        else { return false }
        isISO = true
        year = word.number(0..<4)
        month = word.number(5..<7)
        day = word.number(8..<10)
        if word.count == 10 { return true }
        guard word[10] | 0x20 == UInt8(ascii: "t") else { return false }
        return takeTime(word.extracting(11..<word.count))
    }

    /// `20040821T122741Z`
    private mutating func takeBasicISO(_ word: Span<UInt8>) -> Bool {
        var digits = 9
        while digits < word.count, word[digits].isASCIIDigit { digits += 1 }
        guard year == nil, day == nil, word.isNumber(0..<8), digits == 13 || digits == 15 else { return false }
        isISO = true
        year = word.number(0..<4)
        month = word.number(4..<6)
        day = word.number(6..<8)
        var time = word.extracting(9..<11).array + [ASCII.colon] + word.extracting(11..<13).array
        if digits == 15 { time += [ASCII.colon] + word.extracting(13..<15).array }
        time += word.extracting(digits..<word.count).array
        return takeTime(time.span)
    }

    /// `21-Aug-2004`, `21/Aug/04`.
    private mutating func takeDashed(_ word: Span<UInt8>) -> Bool {
        func isDash(_ byte: UInt8) -> Bool { byte == ASCII.dash || byte == ASCII.slash }
        let dayEnd = word.count > 1 && isDash(word[1]) ? 1 : 2
        guard word.isNumber(0..<min(dayEnd, word.count)), dayEnd < word.count, isDash(word[dayEnd]) else {
            return false
        }
        var nameEnd = dayEnd + 1
        while nameEnd < word.count, word[nameEnd].isASCIILetter { nameEnd += 1 }
        guard nameEnd - dayEnd > 3, nameEnd < word.count, isDash(word[nameEnd]),
            word.isNumber(nameEnd + 1..<word.count)
        else { return false }
        return takeNumber(word.extracting(0..<dayEnd)) && takeName(word.extracting(dayEnd + 1..<nameEnd))
            && takeNumber(word.extracting(nameEnd + 1..<word.count))
    }

    /// `12.27.41`
    private mutating func takeDotted(_ word: Span<UInt8>) -> Bool {
        guard word.count <= 8 else { return false }
        let time = word.array.map { $0 == ASCII.dot ? ASCII.colon : $0 }
        return takeTime(time.span)
    }

    /// `hh:mm`, `hh:mm:ss`, with a fraction, and perhaps a zone right behind.
    private mutating func takeTime(_ word: Span<UInt8>) -> Bool {
        guard seconds == nil else { return false }
        var place = 0
        guard let hours = word.shortNumber(at: &place), word.has(ASCII.colon, at: &place),
            let minutes = word.shortNumber(at: &place)
        else { return false }
        var second = 0
        if word.has(ASCII.colon, at: &place) {
            guard let number = word.shortNumber(at: &place) else { return false }
            second = number
            if word.has(ASCII.dot, at: &place) || word.has(ASCII.comma, at: &place) {
                while place < word.count, word[place].isASCIIDigit { place += 1 }
            }
        }
        guard hours < 24, minutes < 60, second <= 60 else { return false }
        seconds = hours * 3_600 + minutes * 60 + second
        let rest = word.extracting(place..<word.count)
        guard rest.count > 0 else { return true }
        if rest[0] == ASCII.plus || rest[0] == ASCII.dash { return takeZone(rest) }
        return rest[0].isASCIILetter && takeName(rest)
    }

    /// `+0200`, `-08:00`, `+02`, `+200`; letters may follow, as in `-0700PDT`. RFC 5322 3.3 allows up to `9959`.
    private mutating func takeZone(_ word: Span<UInt8>) -> Bool {
        var digits = 0
        var number = 0
        for index in 1..<max(1, word.count) where word[index] != ASCII.colon {
            if word[index].isASCIILetter, digits >= 3 { break }
            guard word[index].isASCIIDigit, digits < 4 else { return false }
            number = number * 10 + Int(word[index] - ASCII.zero)
            digits += 1
        }
        guard digits >= 2 else { return false }
        let hours = digits > 2 ? number / 100 : number
        let minutes = digits > 2 ? number % 100 : 0
        guard minutes < 60 else { return false }
        // A second zone, as in "GMT+0200", says the same more exactly.
        hasZone = true
        let isNegative = word[0] == ASCII.dash
        zone = isNegative && number == 0 ? nil : (isNegative ? -1 : 1) * (hours * 3_600 + minutes * 60)
        return true
    }

    private mutating func takeNumber(_ word: Span<UInt8>) -> Bool {
        guard word.count <= 4 else { return false }
        let number = word.number(0..<word.count)
        if day == nil, word.count <= 2 || (word.count == 3 && word[0] == ASCII.zero) {
            day = number
        } else if year == nil, word.count >= 2 {
            switch word.count {
            case 2: year = number + (number < 50 ? 2_000 : 1_900)
            case 3: year = number + 1_900
            // Four digits of a year of two, or of the years since 1900: `0097`, `0102`.
            default:
                year = number < 50 ? number + 2_000 : number < 200 ? number + 1_900 : number
            }
        } else if !hasZone, word.count == 4 {
            // A zone without its sign.
            guard number / 100 < 24, number % 100 < 60 else { return false }
            hasZone = true
            zone = number / 100 * 3_600 + number % 100 * 60
        } else {
            return false
        }
        return true
    }

    private mutating func takeName(_ word: Span<UInt8>) -> Bool {
        if let hours = DateParser.zoneHours(word) {
            if !hasZone { (zone, hasZone) = (hours * 3_600, true) }
            return true
        }
        if word.count == 2, word[1] | 0x20 == UInt8(ascii: "m"), let isAfternoon = DateParser.isAfternoon(word[0]) {
            guard let time = seconds, time < 13 * 3_600 else { return false }
            let isNoon = time >= 12 * 3_600
            seconds = isAfternoon ? (isNoon ? time : time + 43_200) : (isNoon ? time - 43_200 : time)
            return true
        }
        if let sign = word.firstIndex(of: ASCII.plus) ?? word.firstIndex(of: ASCII.dash),
            DateParser.zoneHours(word.extracting(0..<sign)) == 0
        {
            return takeOffset(word.extracting(sign..<word.count))
        }
        if month == nil, let index = DateParser.place(of: word, in: CalendarTime.monthNames) {
            month = index + 1
            return true
        }
        if DateParser.place(of: word, in: CalendarTime.weekdayNames) != nil { return true }
        if isISO, seconds != nil, word.count == 1, word[0] | 0x20 == UInt8(ascii: "z") {
            if !hasZone { (zone, hasZone) = (0, true) }
            return true
        }
        // A word before all else is a weekday in some language, any other after the time the name of a zone that nobody
        // knows.
        if day == nil, month == nil, year == nil, seconds == nil {
            defer { hasUnknownWord = true }
            return !hasUnknownWord
        }
        guard seconds != nil else { return false }
        for index in 0..<word.count
        where !word[index].isASCIIAlphanumeric && word[index] != ASCII.underscore && word[index] != ASCII.slash {
            return false
        }
        hasZone = true
        return true
    }

    /// What follows `GMT`: as a zone, or one digit of hours.
    private mutating func takeOffset(_ word: Span<UInt8>) -> Bool {
        guard word.count == 2 else { return takeZone(word) }
        let padded = [word[0], ASCII.zero, word[1]]
        return takeZone(padded.span)
    }

    private static func isAfternoon(_ letter: UInt8) -> Bool? {
        switch letter | 0x20 {
        case UInt8(ascii: "a"): false
        case UInt8(ascii: "p"): true
        default: nil
        }
    }

    /// The zones that RFC 5322 4.3 names.
    private static func zoneHours(_ word: Span<UInt8>) -> Int? {
        if word.count == 2 { return word.isWord("UT") ? 0 : nil }
        guard word.count == 3 else { return nil }
        if word[2] | 0x20 == UInt8(ascii: "t") {
            if word.isWord("GMT") { return 0 }
            let isSummer: Bool
            switch word[1] | 0x20 {
            case UInt8(ascii: "s"): isSummer = false
            case UInt8(ascii: "d"): isSummer = true
            default: return nil
            }
            switch word[0] | 0x20 {
            case UInt8(ascii: "e"): return isSummer ? -4 : -5
            case UInt8(ascii: "c"): return isSummer ? -5 : -6
            case UInt8(ascii: "m"): return isSummer ? -6 : -7
            case UInt8(ascii: "p"): return isSummer ? -7 : -8
            default: return nil
            }
        }
        return word.isWord("UTC") ? 0 : nil
    }

    /// Which name the word begins with.
    private static func place(of word: Span<UInt8>, in names: [String]) -> Int? {
        guard word.count >= 3 else { return nil }
        return names.firstIndex { name in
            var place = 0
            for byte in name.utf8 {
                if word[place].asciiLowercased != byte.asciiLowercased { return false }
                place += 1
            }
            return true
        }
    }

    private var result: DateTime? {
        guard let day, let month, let year, 1...12 ~= month, 1...9_999 ~= year, day >= 1 else { return nil }
        let date = CalendarTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
        guard day <= date.daysInMonth else { return nil }
        return DateTime(epoch: date.epoch + (seconds ?? 0) - (zone ?? 0), offset: zone)
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes of `range`, which must be there, are digits.
    fileprivate func isNumber(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty, range.upperBound <= count else { return false }
        for index in range where !self[index].isASCIIDigit { return false }
        return true
    }

    /// The number that digits stand for; there are at most four.
    fileprivate func number(_ range: Range<Int>) -> Int {
        range.reduce(0) { $0 &* 10 &+ Int(self[$1] &- ASCII.zero) }
    }

    /// One or two digits at `place`, which moves behind them.
    fileprivate func shortNumber(at place: inout Int) -> Int? {
        let start = place
        while place < count, place - start < 2, self[place].isASCIIDigit { place += 1 }
        return place > start ? number(start..<place) : nil
    }

    fileprivate func has(_ byte: UInt8, at place: inout Int) -> Bool {
        guard place < count, self[place] == byte else { return false }
        place += 1
        return true
    }

    /// Whether the bytes are the letters of `word`, in any case.
    fileprivate func isWord(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { letters in
            for index in 0..<count where self[index].asciiLowercased != letters[index].asciiLowercased { return false }
            return true
        }
    }
}
