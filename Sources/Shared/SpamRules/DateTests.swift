import Bytes
import Unix

/// Tests of the Date field against those of the relays.
extension EvalTests {
    static let dateTests: [String: Test] = [
        "check_for_shifted_date": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            let hours = Double(facts.dateShift) / 3_600
            return inRange(hours, arguments, isUpperOpen: true)
        },
        "received_within_months": { facts, arguments in
            let months = Double(SystemClock.now.seconds - (facts.likelyTime ?? 0)) / (365.2425 * 86_400 / 12)
            return inRange(months, arguments, isUpperOpen: true)
        },
        "check_outlook_message_id": { facts, _ in
            let digits = Array(facts.text("MESSAGEID").utf8)
            guard facts.matches("^<[0-9a-f]{12}\\$[0-9a-f]{8}\\$[0-9a-f]{8}@", digits.text),
                let token = UInt64(digits[5..<13].text, radix: 16)
            else { return 0 }
            func isFar(_ time: Int) -> Bool {
                // The upper half of a Windows file time, which counts 100 ns from 1601.
                let expected = (Double(time) * 0.002_328_306_436_538_7 + 27_111_902.832_984_9).rounded(.towardZero)
                return abs(Double(token) - expected) >= 250
            }
            let date = facts.dates.sent ?? 0
            return isFar(date) && isFar(facts.receivedTimes.first ?? 0) ? 1 : 0
        },
    ]
}

extension MessageFacts {
    /// The time of each Received field that tells one, newest first.
    var receivedTimes: [Int] { dates.relays }

    /// When it was sent, as most fields say.
    fileprivate var likelyTime: Int? {
        let date = dates.sent
        let relay = dates.relays.first
        let shifted = date.flatMap { time in relay == nil ? nil : time - dateShift }
        let times = [date, relay, dates.fetched, shifted].compactMap { $0 }
        return times.isEmpty ? nil : times.sorted(by: >)[(times.count - 1) / 2]
    }

    /// How many seconds the Date field is ahead of the time of the relay that is nearest to it; 0 when nothing tells.
    var dateShift: Int { dates.shift }
}

/// The times that the header tells.
struct MessageDates {
    /// Of Resent-Date or Date.
    let sent: Int?
    /// Of Received fields, newest first, without those of programs that fetch mail from mailboxes.
    let relays: [Int]
    /// When it was fetched from a mailbox.
    let fetched: Int?

    var shift: Int {
        guard let sent else { return 0 }
        var shifts = relays.map { sent - $0 }
        if shifts.count > 1, shifts.last == 0 { shifts.removeLast() }
        return shifts.min { abs($0) < abs($1) } ?? 0
    }

    init(_ facts: MessageFacts) {
        let dates = ["resent-date", "date"].lazy.flatMap { name in facts.fields.filter { $0.key == name } }
        sent = dates.compactMap { RoughDate.seconds(MessageField.unfolded($0.raw).text) }.first
        var values = facts.fields.filter { $0.key == "received" }.map { MessageField.unfolded($0.raw).text }
        var local: [String] = []
        if let first = values.first, MessageDates.isLocal(first, facts) { local.append(values.removeFirst()) }
        if let first = values.first, first.contains("by localhost with "), first.contains(" (fetchmail-") {
            local.append(values.removeFirst())
        } else if let first = local.popLast() {
            values.insert(first, at: 0)
        }
        relays = values.compactMap(MessageDates.time)
        fetched = local.compactMap(MessageDates.time).max()
    }

    /// What this host has written when it delivered the message to itself.
    private static func isLocal(_ value: String, _ facts: MessageFacts) -> Bool {
        guard value.contains("127.0.0.1") || value.contains("from localhost") || value.contains("qmail ") else {
            return false
        }
        return facts.matches(
            "\\bfrom (?:localhost\\s|(?:\\S+ ){1,2}\\S*\\b127\\.0\\.0\\.1\\b)|qmail \\d+ invoked by uid \\d+", value)
    }

    /// The time of a Received field: the first four words that look like day, month, year and clock, and one more.
    private static func time(_ value: String) -> Int? {
        let words = value.split { $0 == " " || $0 == "\t" }
        func ends(_ word: Substring, _ most: Int) -> Bool {
            let digits = word.drop { !$0.isNumber }
            return word.utf8.count - digits.utf8.count <= most && !digits.isEmpty
                && digits.utf8.allSatisfy(\.isASCIIDigit)
        }
        for place in words.indices where place + 4 < words.count {
            let clock = words[place + 3].split(separator: ":", omittingEmptySubsequences: false)
            guard ends(words[place], 1), words[place + 1].count == 3, ends(words[place + 2], 0), clock.count == 3,
                clock.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(\.isASCIIDigit) })
            else { continue }
            return RoughDate.seconds(words[place...(place + 4)].joined(separator: " "))
        }
        return nil
    }
}
