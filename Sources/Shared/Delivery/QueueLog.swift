import Bytes
import Mailboxes
import MessageFormat
import SMTP

/// An event in the life of a queued message, a line of its log:
///
///     2026-11-24T10:00:00Z deferred 2 next=2026-11-24T10:05:00Z code=451 enhanced=4.3.0 host=mx.example.net:25 text=busy
///
/// Recipients are numbered from 1 in the order of the file.
package enum QueueEvent: Equatable, Sendable {
    case delivered(Int, QueueAnswer)
    /// Tried, to be tried again at a time in seconds since 1970.
    case deferred(Int, next: Int, QueueAnswer)
    case failed(Int, QueueAnswer)
    /// The sender was told of the end, or did not want to hear of it: nothing is left to be done for this recipient.
    case told(Int)
    /// The sender was told that it takes long.
    case delayTold(Int)
    case held
    case released
    /// All further attempts go to this server, `HOST:PORT`; nil: where the domain says.
    case rerouted(String?)
}

/// What was said of a recipient at an attempt, and where.
package struct QueueAnswer: Equatable, Sendable {
    package var code: Int?
    package var enhanced: String?
    /// `HOST:PORT` of the server; nil when there was none.
    package var host: String?
    package var text: String

    package init(code: Int? = nil, enhanced: String? = nil, host: String? = nil, text: String) {
        self.code = code
        self.enhanced = enhanced
        self.host = host
        self.text = text
    }
}

/// Times in a queue's files: `2026-11-24T10:00:00Z`.
package enum QueueTime {
    package static func text(_ epoch: Int) -> String {
        let sortable = CalendarTime(epoch: epoch).sortable
        return sortable.split(separator: " ").joined(separator: "T") + "Z"
    }

    /// Nil for what is no such time.
    static func epoch(_ text: some StringProtocol) -> Int? { DateTime(Array(text.utf8))?.epoch }
}

/// The lines of a log.
package enum QueueLog {
    /// No line is longer, in octets.
    static let lineLimit = 2_048

    package static func line(_ event: QueueEvent, at epoch: Int) -> String {
        let rest =
            switch event {
            case .delivered(let index, let answer): "delivered \(index + 1)\(text(answer))"
            case .deferred(let index, let next, let answer):
                "deferred \(index + 1) next=\(QueueTime.text(next))\(text(answer))"
            case .failed(let index, let answer): "failed \(index + 1)\(text(answer))"
            case .told(let index): "told \(index + 1)"
            case .delayTold(let index): "delay-told \(index + 1)"
            case .held: "held"
            case .released: "released"
            case .rerouted(let server): "rerouted \(server ?? "mx")"
            }
        return "\(QueueTime.text(epoch)) \(rest)\n"
    }

    private static func text(_ answer: QueueAnswer) -> String {
        (answer.code.map { " code=\($0)" } ?? "") + (answer.enhanced.map { " enhanced=\($0)" } ?? "")
            + (answer.host.map { " host=\($0)" } ?? "") + " text=\(StatusText.line(answer.text))"
    }

    /// The events with their times. A last line without its end was being written when something stopped the writer: it
    /// does not count, and neither does a line that says nothing known.
    package static func events(_ bytes: [UInt8]) -> [(time: Int, event: QueueEvent)] {
        guard let end = bytes.lastIndex(of: ASCII.lf) else { return [] }
        return bytes[..<end].split(separator: ASCII.lf).compactMap { event($0.text) }
    }

    private static func event(_ line: String) -> (time: Int, event: QueueEvent)? {
        let words = line.split(separator: " ", maxSplits: 3)
        guard words.count >= 2, let time = QueueTime.epoch(words[0]) else { return nil }
        let number = words.count > 2 ? Int(words[2]).flatMap { $0 > 0 ? $0 - 1 : nil } : nil
        let rest = words.count > 3 ? String(words[3]) : ""
        switch (words[1], number) {
        case ("delivered", let index?): return (time, .delivered(index, answer(rest).answer))
        case ("deferred", let index?):
            let (answer, next) = answer(rest)
            return (time, .deferred(index, next: next ?? time, answer))
        case ("failed", let index?): return (time, .failed(index, answer(rest).answer))
        case ("told", let index?): return (time, .told(index))
        case ("delay-told", let index?): return (time, .delayTold(index))
        case ("held", _): return (time, .held)
        case ("released", _): return (time, .released)
        case ("rerouted", _) where words.count > 2: return (time, .rerouted(words[2] == "mx" ? nil : String(words[2])))
        default: return nil
        }
    }

    private static func answer(_ text: String) -> (answer: QueueAnswer, next: Int?) {
        var answer = QueueAnswer(text: "")
        var next: Int?
        var rest = Substring(text)
        while !rest.isEmpty {
            if rest.hasPrefix("text=") {
                answer.text = String(rest.dropFirst(5))
                break
            }
            let word = rest.prefix { $0 != " " }
            rest = rest.dropFirst(word.count).drop { $0 == " " }
            let sides = word.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { continue }
            switch sides[0] {
            case "next": next = QueueTime.epoch(sides[1])
            case "code": answer.code = Int(sides[1])
            case "enhanced": answer.enhanced = String(sides[1])
            case "host": answer.host = String(sides[1])
            default: break
            }
        }
        return (answer, next)
    }
}
