import Bytes
import CommandLineTool
import Mailboxes
import Unix

/// The messages that the command line names.
enum Inputs {
    static func of(_ arguments: Arguments) throws(ToolFailure) -> MessageInput {
        var input = MessageInput(try names(arguments))
        input.isMbox = arguments[SpamscoreOptions.mbox]
        return input
    }

    /// The operands, and the names in a list; standard input when there are none.
    private static func names(_ arguments: Arguments) throws(ToolFailure) -> [String] {
        var names = arguments.operands
        let lists = [
            (arguments[SpamscoreOptions.files], ASCII.lf), (arguments[SpamscoreOptions.files0], ASCII.nul),
        ]
        var hasList = false
        for case (let list?, let separator) in lists {
            hasList = true
            do throws(SystemError) {
                names += try InputNames.list(list, separator: separator)
            } catch {
                throw ToolFailure(.noInput, "\(TerminalText.escape(list)): cannot be read: \(error.reason)")
            }
        }
        return names.isEmpty && !hasList ? ["-"] : names
    }
}
