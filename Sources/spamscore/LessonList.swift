import Bytes
import CommandLineTool
import Mailboxes
import SpamClassifier
import Unix

/// The list of --train.
enum LessonList {
    /// The paths of a list in an order that has nothing to do with theirs, so that what is learned last is not all of one
    /// kind; `lessons` tells what each is.
    static func read(_ list: String, _ lessons: inout [String: MessageClass]) throws(ToolFailure) -> [String] {
        let lines: [String]
        do throws(SystemError) {
            lines = try InputNames.list(list, separator: ASCII.lf)
        } catch {
            throw ToolFailure(.noInput, "\(TerminalText.escape(list)): cannot be read: \(error.reason)")
        }
        var names: [String] = []
        for (index, line) in lines.enumerated() {
            let place = "\(TerminalText.escape(list)):\(index + 1)"
            let kind: MessageClass
            let name: String
            if line.hasPrefix("spam ") {
                (kind, name) = (.spam, String(line.dropFirst(5)))
            } else if line.hasPrefix("ham ") {
                (kind, name) = (.ham, String(line.dropFirst(4)))
            } else {
                throw ToolFailure(.dataError, "\(place): neither 'spam PATH' nor 'ham PATH'")
            }
            if let known = lessons[name] {
                guard known == kind else {
                    throw ToolFailure(.dataError, "\(place): \(TerminalText.escape(name)): both spam and ham")
                }
                continue
            }
            lessons[name] = kind
            names.append(name)
        }
        return LessonOrder.shuffled(names)
    }
}
