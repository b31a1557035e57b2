import Bytes
import Glibc
import Unix

/// A program of the toolbox: what it is in words, its options, and what it does.
package protocol Tool {
    static var description: ToolDescription { get }
    /// What the words of the command line mean, when the tool follows the habits of another program, too; else they stay
    /// as they are. `name` is what the program was called by.
    static func interpret(_ words: [String], calledAs name: String) throws(ToolFailure) -> [String]
    /// Does the work. A `ToolFailure` or `SystemError` that is thrown ends the tool with its message and code.
    static func run(_ arguments: Arguments) throws -> ExitCode
}

extension Tool {
    package static func interpret(_ words: [String], calledAs name: String) throws(ToolFailure) -> [String] { words }

    /// Reads the command line, runs the tool and ends the process.
    package static func main() {
        signal(SIGPIPE, SIG_IGN)
        // A file that may not grow is a write error, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        MappedFileFault.endProcess(
            message: "\(Diagnostics.programName): a file was cut short, or its disk failed, while it was being read: "
                + "the rest of it is missing: run it again when nobody writes to it",
            code: ExitCode.ioError.number)
        exit(outcome(PathText.commandLine).number)
    }

    private static func outcome(_ words: [String]) -> ExitCode {
        do {
            let words = try interpret(words, calledAs: Diagnostics.programName)
            let arguments = try Arguments(parsing: words, options: description.allOptions)
            let code = try StandardOptions.answer(arguments, for: description) ?? run(arguments)
            Output.standard.flush()
            return code
        } catch let failure as ToolFailure {
            Output.standard.flush()
            Diagnostics.say(failure.message)
            return failure.exitCode
        } catch let error as SystemError {
            Output.standard.flush()
            Diagnostics.say(error.diagnosis)
            return error.exitCode
        } catch {
            Output.standard.flush()
            Diagnostics.say("\(error)")
            return .software
        }
    }
}

extension SystemError {
    /// What was tried on, if there is something, and what is wrong: `FILE: cannot open: No such file or directory`.
    package var diagnosis: String { "\(subject.isEmpty ? "" : "\(subject): ")cannot \(operation): \(reason)" }

    /// The sysexits code that fits when nothing more is known.
    package var exitCode: ExitCode {
        switch code {
        case ENOENT, ENOTDIR, EISDIR: .noInput
        case EACCES, EPERM: .noPermission
        case EIO, ENOSPC, EDQUOT, EFBIG, EROFS, EPIPE: .ioError
        default: .osError
        }
    }
}

/// The options that every tool has.
enum StandardOptions {
    static let group = "General"
    static let config = Option.text(
        "config", "FILE", "read options from FILE, one long option a line", group: group, completion: .file)
    static let help = Option.flag("help", "show this help", group: group)
    static let version = Option.flag("version", "show the version", group: group)
    /// Not in the help: for the build, which makes the man page and the completions with it.
    static let generate = Option.choice(
        "generate", ["man", "bash", "zsh", "fish"], default: "", "print documentation", group: hiddenGroup)
    static let hiddenGroup = ""

    static func answer(_ arguments: Arguments, for tool: ToolDescription) throws -> ExitCode? {
        if arguments[help] {
            Output.standard.write(HelpText.render(tool))
        } else if arguments[version] {
            Output.standard.writeLine("\(tool.name) (Facteur) \(facteurVersion)")
        } else {
            switch arguments[generate] {
            case "man": Output.standard.write(ManPage.render(tool))
            case "bash": Output.standard.write(Completions.bash(tool))
            case "zsh": Output.standard.write(Completions.zsh(tool))
            case "fish": Output.standard.write(Completions.fish(tool))
            default: return nil
            }
        }
        return .ok
    }
}

/// The version of all tools.
package let facteurVersion = "0.1.0"
