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
        return try expanded(names.isEmpty && !hasList ? ["-"] : names)
    }

    /// A folder that is no Maildir stands for the files in it, in the order of their names.
    static func expanded(_ names: [String]) throws(ToolFailure) -> [String] {
        var result: [String] = []
        for name in names {
            guard name != "-", Files.isDirectory(name), !Maildir.isMaildir(name),
                let entries = try? Files.names(inDirectory: name)
            else {
                result.append(name)
                continue
            }
            let files = entries.map { "\(name)/\(PathText.text($0))" }.filter { Files.kind($0) == .file }
            result += files.isEmpty ? [name] : files.sorted()
        }
        return result
    }
}
