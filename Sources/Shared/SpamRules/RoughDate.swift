import Bytes
import MessageFormat

/// The time that a text tells, read as tests of dates read it: what is impossible is bent to what is possible, and words
/// that say nothing are passed over. Tests compare such times; they do not show them.
enum RoughDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Hours and minutes east of UTC, as `+hhmm`.
    private static let zones: [String: Int] = [
        "UT": 0, "UTC": 0, "NDT": -230, "AST": -400, "ADT": -300, "NST": -330, "EST": -500, "EDT": -400, "CST": -600,
        "CDT": -500, "MST": -700, "MDT": -600, "PST": -800, "PDT": -700, "HST": -1000, "AKST": -900, "AKDT": -800,
        "HADT": -900, "HAST": -1000, "GMT": 0, "BST": 100, "IST": 100, "WET": 0, "WEST": 100, "CET": 100, "CEST": 200,
        "EET": 200, "EEST": 300, "MSK": 300, "MSD": 400, "MET": 100, "MEZ": 100, "MEST": 200, "MESZ": 200,
        "BRST": -200, "BRT": -300, "AEST": 1000, "AEDT": 1100, "ACST": 930, "ACDT": 1030, "AWST": 800, "NZST": 1200,
        "NZDT": 1300, "JST": 900, "KST": 900, "HKT": 800, "SGT": 800, "PHT": 800, "IDT": 300,
    ]

    /// Seconds since 1970; nil when no day is told.
    static func seconds(_ text: String) -> Int? {
        var words = text.split { $0 == " " || $0 == "," || $0 == "\t" || $0 == "\n" }.map(String.init)
        guard let day = takeDay(&words) else { return nil }
        var (hour, minute, second) = (0, 0, 0)
        if let place = words.firstIndex(where: { clock($0) != nil }), let time = clock(words[place]) {
            (hour, minute, second) = time
            words.remove(at: place)
        }
        let year = min(max(day.year, 1970), 2037)
        var (month, date) = (day.month, day.day)
        var later = 0
        let first = CalendarTime(year: day.year, month: month, day: 1, hour: 0, minute: 0, second: 0)
        if date > first.daysInMonth {
            date = 1
            later = month == 12 ? 1 : 0
            month = month == 12 ? 1 : month + 1
        }
        let time = CalendarTime(
            year: min(year + later, 2037), month: month, day: max(date, 1), hour: min(hour, 23),
            minute: min(minute, 59), second: min(second, 59)
        ).epoch
        let zone = zone(words)
        return max(0, time - (zone / 100 * 3_600 + zone % 100 * 60))
    }

    private static func takeDay(_ words: inout [String]) -> (year: Int, month: Int, day: Int)? {
        func month(_ word: String) -> Int? { months.firstIndex(of: word.asciiLowercased).map { $0 + 1 } }
        func digits(_ word: String, _ counts: ClosedRange<Int>) -> Int? {
            counts.contains(word.utf8.count) && word.utf8.allSatisfy(\.isASCIIDigit) ? Int(word) : nil
        }
        for years in [4...4, 0...0, 2...3] {
            for place in words.indices {
                if years.lowerBound == 0 {
                    // As asctime writes it.
                    guard place + 3 < words.count, let month = month(words[place]),
                        let day = digits(words[place + 1], 1...9),
                        clock(words[place + 2]) != nil, words[place + 2].utf8.count > 5,
                        let year = digits(words[place + 3], 4...4)
                    else { continue }
                    words = Array(words[..<place] + words[(place + 2)...(place + 2)] + words[(place + 4)...])
                    return (year, month, day)
                }
                guard place + 2 < words.count, let day = digits(words[place], 1...9),
                    let month = month(words[place + 1]),
                    let year = digits(words[place + 2], years)
                else { continue }
                let isShort = words[place + 2].utf8.count < 4
                words.removeSubrange(place...(place + 2))
                return (!isShort ? year : year < 50 ? year + 2000 : year + 1900, month, day)
            }
        }
        return nil
    }

    /// `h:mm`, `hh:mm:ss`
    private static func clock(_ word: String) -> (hour: Int, minute: Int, second: Int)? {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), (1...2).contains(parts[0].utf8.count),
            parts.dropFirst().allSatisfy({ $0.utf8.count == 2 }),
            parts.allSatisfy({ $0.utf8.allSatisfy(\.isASCIIDigit) })
        else { return nil }
        let numbers = parts.compactMap { Int($0) }
        return (numbers[0], numbers[1], numbers.count > 2 ? numbers[2] : 0)
    }

    private static func zone(_ words: [String]) -> Int {
        let isNumeric: (String) -> Bool = { word in
            word.utf8.count == 5 && (word.hasPrefix("+") || word.hasPrefix("-"))
                && word.utf8.dropFirst().allSatisfy(\.isASCIIDigit)
        }
        if let word = words.first(where: isNumeric) { return Int(word) ?? 0 }
        // The first word in capitals is the zone, or there is none.
        for word in words {
            let letters = word.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            if let name = letters.first(where: {
                (2...4).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x41...0x5A).contains($0) }
            }) {
                return zones[String(name)] ?? 0
            }
        }
        return 0
    }
}
