/// A date and time of the Gregorian calendar in UTC.
package struct CalendarTime: Equatable, Sendable {
    package var year: Int
    /// 1–12.
    package var month: Int
    /// 1–31.
    package var day: Int
    package var hour: Int
    package var minute: Int
    /// 0–60: leap seconds are written so.
    package var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The instant, in seconds since 1970-01-01 UTC. Years beyond 9999 before or after Christ are cut to these.
    package init(epoch: Int) {
        let limit = 253_402_300_799
        let epoch = Swift.min(Swift.max(epoch, -limit), limit)
        let days = epoch >= 0 ? epoch / 86_400 : -((86_399 - epoch) / 86_400)
        let rest = epoch - days * 86_400
        // Days of an era of 400 years that begins on March 1 of year 0.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Days since 1970-01-01.
    private var days: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// Seconds since 1970-01-01 UTC.
    package var epoch: Int { days * 86_400 + hour * 3_600 + minute * 60 + second }

    /// How many days the month has.
    package var daysInMonth: Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }

    /// 0 = Sunday.
    package var weekday: Int { ((days + 4) % 7 + 7) % 7 }

    package static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    package static let weekdayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    /// `Sat Aug 21 10:27:43 2004`, the form of asctime(3), as From_ lines have it.
    package var asctime: String {
        "\(Self.weekdayNames[weekday]) \(Self.monthNames[month - 1]) \(Self.padded(day, " ")) "
            + "\(Self.padded(hour, "0")):\(Self.padded(minute, "0")):\(Self.padded(second, "0")) \(year)"
    }

    /// `2004-08-21 10:27:43`.
    package var sortable: String { "\(date) \(time)" }

    /// `2004-08-21`
    package var date: String { "\(Self.padded(year, "0", 4))-\(Self.padded(month, "0"))-\(Self.padded(day, "0"))" }

    /// `10:27:43`
    package var time: String {
        "\(Self.padded(hour, "0")):\(Self.padded(minute, "0")):\(Self.padded(second, "0"))"
    }

    static func padded(_ number: Int, _ pad: String, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: pad, count: Swift.max(0, width - digits.utf8.count)) + digits
    }
}
