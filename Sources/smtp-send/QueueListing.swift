import Bytes
import CommandLineTool
import Delivery
import SMTP
import Unix

/// What a queue holds, for people and for programs.
enum QueueListing {
    /// One message a line or an object; one that is damaged or cannot be read is said on standard error.
    static func list(_ queue: Queue, isJSON: Bool) throws -> ExitCode {
        var code = ExitCode.ok
        var count = 0
        for id in try queue.identifiers() {
            do throws(SystemError) {
                switch try QueueEntry.open(id, in: queue, locking: false) {
                case .open(let entry):
                    count += 1
                    isJSON ? writeJSON(entry) : writeLines(entry)
                case .damaged(let problem):
                    Diagnostics.say(ToolFailure(damaged: id, problem, in: queue).message)
                    code = .dataError
                case .busy, .gone: break
                }
            } catch {
                let failure = ToolFailure(error)
                Diagnostics.say(failure.message)
                code = failure.exitCode
            }
        }
        if !isJSON, count == 0 { Output.standard.writeLine("the queue is empty") }
        return code
    }

    private static func writeLines(_ entry: QueueEntry) {
        let sender = entry.envelope.reversePath.isEmpty ? "<>" : entry.envelope.reversePath
        var line = "\(entry.id)  \(CalendarText.text(entry.envelope.arrival))  \(entry.size)  \(sender)"
        if entry.isHeld { line += "  held" }
        if let route = entry.route { line += "  by \(route)" }
        Output.standard.writeLine(TerminalText.escape(line))
        for recipient in entry.recipients {
            var line = "    \(recipient.path)  \(recipient.status.rawValue)"
            if recipient.status == .waiting, recipient.attempts > 0 {
                line += " after \(recipient.attempts) attempt\(recipient.attempts == 1 ? "" : "s"),"
                line += " next \(CalendarText.text(recipient.nextAttempt))"
            }
            if let answer = recipient.answer {
                let words = [answer.code.map(String.init), answer.enhanced, answer.text].compactMap { $0 }
                line += ": \(words.joined(separator: " "))"
            }
            Output.standard.writeLine(TerminalText.escape(line))
        }
    }

    private static func writeJSON(_ entry: QueueEntry) {
        var json = JSONWriter()
        json.object { json in
            json.field("id", entry.id.description)
            json.field("sender", entry.envelope.reversePath)
            json.field("size", entry.size)
            json.field("arrived", CalendarText.text(entry.envelope.arrival))
            json.field("held", entry.isHeld)
            json.field("route", entry.route)
            json.key("recipients")
            json.array { json in for recipient in entry.recipients { write(recipient, &json) } }
        }
        Output.standard.write(json.takeLine())
    }

    private static func write(_ recipient: QueuedRecipient, _ json: inout JSONWriter) {
        json.object { json in
            json.field("recipient", recipient.path)
            json.field("status", recipient.status.rawValue)
            json.field("attempts", recipient.attempts)
            json.field("next", recipient.status == .waiting ? CalendarText.text(recipient.nextAttempt) : nil)
            json.field("code", recipient.answer?.code)
            json.field("enhanced", recipient.answer?.enhanced)
            json.field("text", recipient.answer?.text)
            json.field("host", recipient.answer?.host)
        }
    }
}

/// Times in listings: `2026-11-24T10:00:00Z`; `now` for a time that nobody set.
enum CalendarText {
    static func text(_ epoch: Int) -> String { epoch == 0 ? "now" : QueueTime.text(epoch) }
}
