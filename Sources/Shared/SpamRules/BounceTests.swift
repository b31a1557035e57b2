import Bytes
import MessageFormat

/// Tests of bounces: whether the message that comes back had passed through a relay of ours.
extension EvalTests {
    static let bounceTests: [String: Test] = {
        let isOurs: Test = { facts, _ in
            let relays = facts.tables.addresses(of: "welcomelist_bounce_relays")
            guard !relays.isEmpty, let found = facts.returnedRelays.first(where: relays.contains) else { return 0 }
            facts.reason = "a message that has passed through \(found)"
            return 1
        }
        return [
            "have_any_bounce_relays": { facts, _ in
                facts.settings.words("welcomelist_bounce_relays").isEmpty ? 0 : 1
            },
            "check_welcomelist_bounce_relays": isOurs, "check_whitelist_bounce_relays": isOurs,
        ]
    }()
}

extension MessageFacts {
    /// Words with a dot in them in the Received fields that the body quotes.
    fileprivate var returnedRelays: [String] {
        func isReceived(_ line: ArraySlice<UInt8>) -> Bool {
            let start = line.drop { $0 == ASCII.greater || $0 == ASCII.space }
            return start.prefix(9).map(\.asciiLowercased).text == "received:"
        }
        var relays: [String] = []
        func take(_ line: ArraySlice<UInt8>) {
            for word in line.split(whereSeparator: \.isMailWhitespace) where word.contains(ASCII.dot) {
                relays.append(word.map(\.asciiLowercased).text)
            }
        }
        for line in bodyLines where isReceived(line[...]) { take(line[...]) }
        // What is attached lies in the body as it came; a folded field goes on in the next lines.
        let start = structure.parts.first?.bodyOffset ?? bytes.count
        var isInField = false
        for line in bytes[min(start, bytes.count)...].split(separator: ASCII.lf) {
            let isFolded = line.first == ASCII.space || line.first == ASCII.tab
            isInField = isReceived(line) || (isInField && isFolded)
            if isInField { take(line) }
        }
        return relays
    }
}
