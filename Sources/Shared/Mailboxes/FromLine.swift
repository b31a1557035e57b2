import Bytes
import MessageFormat

/// What a From_ line says: `From sender Www Mmm dd hh:mm:ss yyyy`, and the odd forms of it that are met (RFC 4155 and
/// before): a zone before or after the year, no seconds, no weekday, two-digit years, the order of RFC 5322, senders
/// with spaces, `remote from host` at the end.
package struct FromLine: Equatable, Sendable {
    /// Lines longer than this, in bytes, are no From_ lines.
    package static let lengthLimit = 2_048

    /// The place of the sender within the line; empty when there is none.
    package var sender: Range<Int>
    /// Seconds since 1970 UTC; a line without a zone is read as UTC. Nil when the line holds no date that can be read.
    package var date: Int?
    /// True when the sender is one word, as an address is, or holds an `@`.
    package var hasAddress: Bool
    /// True for `From ` with nothing but white space behind it.
    package var isBare: Bool

    /// Reads `line` of `bytes`, its line end left out; nil when it does not begin with `From `.
    package init?(_ bytes: Span<UInt8>, _ line: Range<Int>) {
        let line = line.clamped(to: 0..<bytes.count)
        guard line.count <= Self.lengthLimit, line.count >= 5, bytes.matches("From ", at: line.lowerBound) else {
            return nil
        }
        if let (sender, date) = Self.usual(bytes, line) {
            self.sender = sender
            self.date = date
            hasAddress = true
            isBare = false
            return
        }
        var words = Self.words(bytes, line.lowerBound + 5..<line.upperBound)
        isBare = words.isEmpty
        if words.count >= 3, bytes.equal(words[words.count - 3], "remote"), bytes.equal(words[words.count - 2], "from")
        {
            words.removeLast(3)
        }
        // The last place where a date can be read up to the end: a sender may hold what looks like the start of one.
        var start = words.count - 3
        let first = Swift.max(0, words.count - 10)
        while start >= first {
            if let date = Self.date(bytes, words[start...]) {
                if start > first, Self.weekday(bytes, words[start - 1]) != nil,
                    Self.date(bytes, words[(start - 1)...]) != nil
                {
                    start -= 1
                }
                self.date = date
                let senderWords = words[..<start]
                sender = Self.extent(senderWords, at: line.lowerBound + 5)
                hasAddress = senderWords.count == 1 || sender.contains { bytes[$0] == ASCII.at }
                return
            }
            start -= 1
        }
        date = nil
        sender = Self.extent(words[...], at: line.lowerBound + 5)
        hasAddress = words.count == 1
    }

    /// The usual form, read at once: a sender of one word, and `Www Mmm dd hh:mm:ss yyyy` up to the end.
    private static func usual(_ bytes: Span<UInt8>, _ line: Range<Int>) -> (sender: Range<Int>, date: Int)? {
        let start = line.upperBound - 24
        guard start > line.lowerBound + 6, bytes[start - 1] == ASCII.space, bytes[start + 3] == ASCII.space,
            bytes[start + 7] == ASCII.space, bytes[start + 10] == ASCII.space, bytes[start + 13] == ASCII.colon,
            bytes[start + 16] == ASCII.colon, bytes[start + 19] == ASCII.space
        else { return nil }
        let sender = line.lowerBound + 5..<start - 1
        for index in sender where bytes[index] <= ASCII.space { return nil }
        func number(_ place: Int, _ digits: Int) -> Int? {
            var number = 0
            for index in start + place..<start + place + digits {
                guard bytes[index].isASCIIDigit else { return nil }
                number = number * 10 + Int(bytes[index] - ASCII.zero)
            }
            return number
        }
        guard name(bytes, start, among: "SunMonTueWedThuFriSat") != nil,
            let month = name(bytes, start + 4, among: "JanFebMarAprMayJunJulAugSepOctNovDec"),
            let day = bytes[start + 8] == ASCII.space ? number(9, 1) : number(8, 2), 1...31 ~= day,
            let hour = number(11, 2), hour <= 23, let minute = number(14, 2), minute <= 59,
            let second = number(17, 2), second <= 60, let year = number(20, 4), year >= 1_900
        else { return nil }
        let time = CalendarTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
        return (sender, time.epoch)
    }

    /// Which of the names of three letters stands at `place`.
    private static func name(_ bytes: Span<UInt8>, _ place: Int, among names: StaticString) -> Int? {
        names.withUTF8Buffer { names in
            var index = 0
            while index < names.count {
                if bytes[place] == names[index], bytes[place + 1] == names[index + 1],
                    bytes[place + 2] == names[index + 2]
                {
                    return index / 3
                }
                index += 3
            }
            return nil
        }
    }

    private static func extent(_ words: ArraySlice<Range<Int>>, at start: Int) -> Range<Int> {
        guard let first = words.first, let last = words.last else { return start..<start }
        return first.lowerBound..<last.upperBound
    }

    private static func words(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        for index in range {
            if bytes[index].isMailWhitespace {
                if let from = start { words.append(from..<index) }
                start = nil
            } else if start == nil {
                start = index
            }
        }
        if let from = start { words.append(from..<range.upperBound) }
        return words
    }

    /// A date that takes all of `words`.
    private static func date(_ bytes: Span<UInt8>, _ words: ArraySlice<Range<Int>>) -> Int? {
        var words = words
        if let word = words.first, weekday(bytes, word) != nil { words.removeFirst() }
        guard let first = words.popFirst(), let second = words.popFirst(), let third = words.popFirst() else {
            return nil
        }
        var parts = CalendarTime(year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0)
        if let month = month(bytes, first), let day = number(bytes, second, digits: 1...2) {
            // Mmm dd hh:mm:ss [zone] yyyy [zone]
            guard read(time: third, of: bytes, to: &parts) else { return nil }
            parts.month = month
            parts.day = day
            var offset = 0
            if let word = words.first, number(bytes, word, digits: 2...4) == nil {
                guard let zone = zone(bytes, &words) else { return nil }
                offset = zone
            }
            guard let word = words.popFirst(), let year = year(bytes, word) else { return nil }
            parts.year = year
            return finish(parts, bytes, words, offset: offset)
        }
        // dd Mmm yyyy hh:mm:ss [zone]
        guard let day = number(bytes, first, digits: 1...2), let month = month(bytes, second),
            let year = year(bytes, third), let time = words.popFirst(), read(time: time, of: bytes, to: &parts)
        else { return nil }
        parts.year = year
        parts.month = month
        parts.day = day
        return finish(parts, bytes, words, offset: 0)
    }

    private static func finish(
        _ parts: CalendarTime, _ bytes: Span<UInt8>, _ words: ArraySlice<Range<Int>>, offset: Int
    ) -> Int? {
        var words = words
        var offset = offset
        if !words.isEmpty {
            guard let zone = zone(bytes, &words), words.isEmpty else { return nil }
            offset = zone
        }
        guard 1...31 ~= parts.day else { return nil }
        return parts.epoch - offset
    }

    private static func read(time word: Range<Int>, of bytes: Span<UInt8>, to parts: inout CalendarTime) -> Bool {
        var fields: [Int] = []
        var start = word.lowerBound
        for index in word.lowerBound...word.upperBound where index == word.upperBound || bytes[index] == ASCII.colon {
            guard fields.count < 3, let field = number(bytes, start..<index, digits: 1...2) else { return false }
            fields.append(field)
            start = index + 1
        }
        guard fields.count >= 2, fields[0] <= 23, fields[1] <= 59 else { return false }
        parts.hour = fields[0]
        parts.minute = fields[1]
        parts.second = fields.count == 3 ? fields[2] : 0
        return parts.second <= 60
    }

    /// Seconds east of UTC of the zone that `words` begin with, which is removed: `+0200`, `CEST`, `MET DST`. A name
    /// that is not known counts as UTC.
    private static func zone(_ bytes: Span<UInt8>, _ words: inout ArraySlice<Range<Int>>) -> Int? {
        guard let word = words.popFirst() else { return nil }
        let sign = bytes[word.lowerBound]
        if sign == ASCII.plus || sign == ASCII.dash {
            guard let digits = number(bytes, word.lowerBound + 1..<word.upperBound, digits: 4...4),
                digits % 100 <= 59, digits <= 2_359
            else { return nil }
            let seconds = digits / 100 * 3_600 + digits % 100 * 60
            return sign == ASCII.dash ? -seconds : seconds
        }
        guard word.count <= 5, word.allSatisfy({ bytes[$0].isASCIILetter }), weekday(bytes, word) == nil else {
            return nil
        }
        var offset = zoneHours[word.map { bytes[$0].asciiUppercased }.text].map { $0 * 3_600 } ?? 0
        if let next = words.first, bytes.equal(next, "DST") {
            words.removeFirst()
            offset += 3_600
        }
        return offset
    }

    private static let zoneHours: [String: Int] = [
        "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
        "MET": 1, "CET": 1, "MEST": 2, "CEST": 2, "MESZ": 2, "MEZ": 1, "BST": 1, "WEST": 1, "EET": 2, "EEST": 3,
        "JST": 9, "KST": 9, "HST": -10, "AKST": -9, "AKDT": -8, "NZST": 12, "NZDT": 13,
    ]

    private static func weekday(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Int? {
        var word = word
        if word.count == 4, bytes[word.upperBound - 1] == ASCII.comma { word = word.lowerBound..<word.upperBound - 1 }
        guard word.count == 3 else { return nil }
        let text = word.map { bytes[$0] }
        return CalendarTime.weekdayNames.firstIndex { $0.utf8.elementsEqual(text) }
    }

    private static func month(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Int? {
        guard word.count == 3 else { return nil }
        let text = word.map { bytes[$0] }
        return CalendarTime.monthNames.firstIndex { $0.utf8.elementsEqual(text) }.map { $0 + 1 }
    }

    /// Two digits mean 1950 to 2049 (RFC 5322 4.3).
    private static func year(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Int? {
        if let year = number(bytes, word, digits: 4...4) { return year >= 1_900 ? year : nil }
        return number(bytes, word, digits: 2...2).map { $0 < 50 ? $0 + 2_000 : $0 + 1_900 }
    }

    private static func number(_ bytes: Span<UInt8>, _ word: Range<Int>, digits: ClosedRange<Int>) -> Int? {
        guard digits ~= word.count else { return nil }
        var number = 0
        for index in word {
            guard bytes[index].isASCIIDigit else { return nil }
            number = number * 10 + Int(bytes[index] - ASCII.zero)
        }
        return number
    }
}

extension Span where Element == UInt8 {
    /// True when the bytes of `range` are exactly those of `text`.
    fileprivate func equal(_ range: Range<Int>, _ text: StaticString) -> Bool {
        range.count == text.utf8CodeUnitCount && matches(text, at: range.lowerBound)
    }
}

extension FromLine {
    /// A From_ line without its line end, as RFC 4155 writes it: the sender, and the date in UTC. White space and
    /// control characters of the sender become `-`; a sender that is empty is `MAILER-DAEMON`.
    package static func compose(sender: [UInt8], date: Int) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(sender.count + 48)
        line.append(text: "From ")
        for byte in sender.prefix(512) { line.append(byte <= ASCII.space || byte == ASCII.delete ? ASCII.dash : byte) }
        if sender.isEmpty { line.append(text: "MAILER-DAEMON") }
        // The form of asctime(3).
        let time = CalendarTime(epoch: date)
        for name in [CalendarTime.weekdayNames[time.weekday], CalendarTime.monthNames[time.month - 1]] {
            line.append(ASCII.space)
            line += name.utf8
        }
        line.append(ASCII.space)
        if time.day < 10 { line.append(ASCII.space) }
        line.append(decimal: time.day)
        for (mark, number) in [(ASCII.space, time.hour), (ASCII.colon, time.minute), (ASCII.colon, time.second)] {
            line.append(mark)
            line.append(decimal: number, width: 2)
        }
        line.append(ASCII.space)
        line += String(time.year).utf8
        return line
    }
}
