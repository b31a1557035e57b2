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
        guard let parsed = DateParser.parse(value) else { return nil }
        self = parsed
    }

    /// `Sat, 21 Aug 2004 12:27:41 +0200`, in the zone of `offset` (UTC written as `+0000`, an unknown one as `-0000`).
    package var text: String {
        let zone = offset ?? 0
        let local = epoch + zone
        let days = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
        let seconds = local - days * 86_400
        let (year, month, day) = Calendar.date(days)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let minutes = abs(zone) / 60
        let sign = zone < 0 || offset == nil ? "-" : "+"
        return "\(Calendar.weekdays[((days + 4) % 7 + 7) % 7]), \(day) \(Calendar.months[month - 1]) "
            + "\(year < 1_000 ? String(repeating: "0", count: 4 - "\(max(0, year))".count) : "")\(year) "
            + "\(two(seconds / 3_600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)) "
            + "\(sign)\(two(minutes / 60))\(two(minutes % 60))"
    }
}

/// The Gregorian calendar.
enum Calendar {
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    /// Days since 1970-01-01 of a date.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The date of a count of days since 1970-01-01.
    static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day)
    }

    static func daysIn(_ year: Int, _ month: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }
}

/// Reads a date word by word: what each word is tells its form, so that the order hardly matters.
private struct DateParser {
    private var day: Int?
    private var month: Int?
    private var year: Int?
    private var seconds: Int?
    private var zone: Int?
    private var hasZone = false

    static func parse(_ value: [UInt8]) -> DateTime? {
        let bytes = value.span
        var plain: [UInt8] = []
        var place = 0
        for token in FieldTokens.split(bytes).tokens where token.kind == .comment {
            plain += bytes.array(place..<token.range.lowerBound) + [ASCII.space]
            place = token.range.upperBound
        }
        plain += bytes.array(place..<bytes.count)
        guard plain.count <= 1_000 else { return nil }
        var parser = DateParser()
        for word in plain.split(whereSeparator: { $0.isMailWhitespace || $0 == ASCII.comma }) {
            guard parser.take(word.text) else { return nil }
        }
        return parser.result
    }

    private mutating func take(_ word: String) -> Bool {
        if let iso = word.wholeMatch(of: /([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt](.+))?/) {
            guard year == nil else { return false }
            (year, month, day) = (Int(iso.1), Int(iso.2), Int(iso.3))
            return iso.4.map { takeTime(String($0), isISO: true) } ?? true
        }
        if word.contains(":") { return takeTime(word, isISO: false) }
        if let dashed = word.wholeMatch(of: /([0-9]{1,2})[-\/]([A-Za-z]{3,9})[-\/]([0-9]{2,4})/) {
            return takeNumber(String(dashed.1)) && takeName(String(dashed.2)) && takeNumber(String(dashed.3))
        }
        if word.hasPrefix("+") || word.hasPrefix("-") { return takeZone(word) }
        if word.utf8.allSatisfy(\.isASCIIDigit) { return takeNumber(word) }
        return takeName(word)
    }

    /// `hh:mm`, `hh:mm:ss`, with a fraction, and perhaps a zone right behind.
    private mutating func takeTime(_ word: String, isISO: Bool) -> Bool {
        guard seconds == nil,
            let match = word.wholeMatch(
                of: /([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.,][0-9]+)?)?(Z|z|[+-][0-9:]{2,6}|[A-Z]{1,5})?/),
            let hours = Int(match.1), let minutes = Int(match.2)
        else { return false }
        let second = match.3.flatMap { Int($0) } ?? 0
        guard hours < 24, minutes < 60, second <= 60 else { return false }
        seconds = hours * 3_600 + minutes * 60 + second
        guard let suffix = match.4 else { return true }
        if isISO, suffix == "Z" || suffix == "z" {
            (zone, hasZone) = (0, true)
            return true
        }
        let text = String(suffix)
        return text.hasPrefix("+") || text.hasPrefix("-") ? takeZone(text) : takeName(text)
    }

    private mutating func takeZone(_ word: String) -> Bool {
        let digits = word.dropFirst().filter { $0 != ":" }
        guard digits.utf8.allSatisfy(\.isASCIIDigit), let number = Int(digits), digits.count == 4 || digits.count == 2
        else { return false }
        let hours = digits.count == 4 ? number / 100 : number
        let minutes = digits.count == 4 ? number % 100 : 0
        guard hours < 24, minutes < 60 else { return false }
        // A second zone, as in "GMT+0200", says the same more exactly.
        hasZone = true
        let isUnknown = word.hasPrefix("-") && number == 0
        zone = isUnknown ? nil : (word.hasPrefix("-") ? -1 : 1) * (hours * 3_600 + minutes * 60)
        return true
    }

    private mutating func takeNumber(_ word: String) -> Bool {
        guard word.utf8.count <= 4, let number = Int(word) else { return false }
        if day == nil, word.utf8.count <= 2 {
            day = number
        } else if year == nil {
            switch word.utf8.count {
            case 2: year = number + (number < 50 ? 2_000 : 1_900)
            case 3: year = number + 1_900
            case 4: year = number
            default: return false
            }
        } else if !hasZone, word.utf8.count == 4 {
            return takeZone("+" + word)
        } else {
            return false
        }
        return true
    }

    private static let zones = [
        "gmt": 0, "ut": 0, "utc": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8,
        "pdt": -7,
    ]

    private mutating func takeName(_ word: String) -> Bool {
        let lower = word.asciiLowercased
        if let known = DateParser.zones[lower] {
            if !hasZone { (zone, hasZone) = (known * 3_600, true) }
            return true
        }
        if lower == "am" || lower == "pm" {
            guard let time = seconds, time < 13 * 3_600 else { return false }
            let isNoon = time >= 12 * 3_600
            seconds = lower == "pm" ? (isNoon ? time : time + 43_200) : (isNoon ? time - 43_200 : time)
            return true
        }
        if let match = lower.wholeMatch(of: /(?:gmt|utc|ut)([+-][0-9:]{1,6})/) {
            let text = String(match.1)
            return takeZone(text.utf8.count == 2 ? "\(text.prefix(1))0\(text.dropFirst())" : text)
        }
        let head = String(lower.utf8.prefix(3).map { Character(UnicodeScalar($0)) })
        if month == nil, let index = Calendar.months.firstIndex(where: { $0.asciiLowercased == head }) {
            month = index + 1
            return true
        }
        if Calendar.weekdays.contains(where: { $0.asciiLowercased == head }) { return true }
        // Any other word after the time is the name of a zone that nobody knows.
        guard seconds != nil,
            word.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.underscore || $0 == ASCII.slash })
        else { return false }
        hasZone = true
        return true
    }

    private var result: DateTime? {
        guard let day, let month, let year, (1...12).contains(month), (1...9_999).contains(year), day >= 1,
            day <= Calendar.daysIn(year, month)
        else { return nil }
        let local = Calendar.days(year, month, day) * 86_400 + (seconds ?? 0)
        return DateTime(epoch: local - (zone ?? 0), offset: zone)
    }
}
