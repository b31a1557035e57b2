import Bytes
import Mailboxes
import MessageFormat

/// Instants in the notes of batch SMTP: `2026-11-24T10:00:00Z`.
enum BatchTime {
    static func text(_ epoch: Int) -> String {
        let time = CalendarTime(epoch: epoch)
        let date = [padded(time.year, 4), padded(time.month, 2), padded(time.day, 2)].joined(separator: "-")
        let clock = [time.hour, time.minute, time.second].map { padded($0, 2) }.joined(separator: ":")
        return "\(date)T\(clock)Z"
    }

    static func epoch(_ text: [UInt8]) -> Int? {
        let numbers = text.split { !$0.isASCIIDigit }.map { $0.count < 10 ? Int($0.text) ?? -1 : -1 }
        guard text.count == 20, text.last == UInt8(ascii: "Z"), numbers.count == 6, 1...12 ~= numbers[1],
            1...31 ~= numbers[2], 0...23 ~= numbers[3], 0...59 ~= numbers[4], 0...60 ~= numbers[5]
        else { return nil }
        return CalendarTime(
            year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4],
            second: numbers[5]
        ).epoch
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
