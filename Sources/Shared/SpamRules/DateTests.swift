import Bytes
import MessageFormat

/// Tests of the Date field against those of the relays.
extension EvalTests {
    static let dateTests: [String: Test] = [
        "check_for_shifted_date": { facts, arguments in
            guard arguments.count == 2 else { return 0 }
            let hours = Double(facts.dateShift) / 3_600
            return inRange(hours, arguments, isUpperOpen: true)
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
            let date = facts.firstValue("date").flatMap { DateTime($0) }?.epoch ?? 0
            return isFar(date) && isFar(facts.receivedTimes.first ?? 0) ? 1 : 0
        },
    ]
}

extension MessageFacts {
    /// The time of each Received field that tells one, newest first.
    var receivedTimes: [Int] {
        relayTimes(fields.filter { $0.key == "received" }.map { MessageField.unfolded($0.raw).text })
    }

    private func relayTimes(_ values: [String]) -> [Int] {
        values.compactMap { value in
            guard let semicolon = value.lastIndex(of: ";") else { return nil }
            return DateTime(Array(value[value.index(after: semicolon)...].utf8))?.epoch
        }
    }

    /// How many seconds the Date field is ahead of the time of the relay that is nearest to it; 0 when nothing tells.
    var dateShift: Int {
        let dates = ["resent-date", "date"].lazy.flatMap { name in self.fields.filter { $0.key == name } }
        guard let date = dates.compactMap({ DateTime(MessageField.unfolded($0.raw))?.epoch }).first else { return 0 }
        var values = fields.filter { $0.key == "received" }.map { MessageField.unfolded($0.raw).text }
        // What fetched the mail from a mailbox tells when that was, not when the mail came.
        if let first = values.first, first.hasPrefix("from localhost ") || first.contains("127.0.0.1"),
            values.count > 1, values[1].contains("by localhost with "), values[1].contains("(fetchmail-")
        {
            values.removeFirst(2)
        }
        var shifts = relayTimes(values).map { date - $0 }
        if shifts.count > 1, shifts.last == 0 { shifts.removeLast() }
        return shifts.min { abs($0) < abs($1) } ?? 0
    }
}
