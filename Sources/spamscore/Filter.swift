import Bytes
import CommandLineTool
import Glibc
import Unix

/// Standard input to standard output with X-Spam fields at the top, everything else byte for byte.
enum Filter {
    static func run(_ arguments: Arguments, _ folder: UserFolder) throws -> ExitCode {
        let message = try FileDescriptor(owning: dup(0), subject: "standard input").readAll()
        do {
            let basis = try ScoringBasis(arguments, folder)
            let verdict = try MessageScorer(basis).score(message.span, basis.weights)
            Output.standard.write(MarkedMessage(message, verdict, basis.marking).bytes())
            return arguments[SpamscoreOptions.exitCode] && verdict.isSpam ? .negative : .ok
        } catch {
            return passUnmarked(message, (error as? ToolFailure)?.message ?? "\(error)", arguments)
        }
    }

    /// The message must not be lost because it could not be scored.
    static func passUnmarked(_ message: [UInt8], _ reason: String, _ arguments: Arguments) -> ExitCode {
        Output.standard.write(message)
        Diagnostics.say("\(reason): the message passes unmarked")
        return arguments[SpamscoreOptions.failClosed] ? .temporaryFailure : .ok
    }
}
