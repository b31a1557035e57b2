import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// --filter: X-Spam fields at the top, everything else byte for byte. One message comes out as it is, several as an
/// mboxrd stream.
enum Filter {
    /// Marks a message; tells whether it is spam.
    typealias Marker = (_ message: [UInt8]) throws -> (bytes: [UInt8], isSpam: Bool)

    /// - Parameter marker: makes what marks; that it cannot be made loses no message.
    static func run(_ arguments: Arguments, marker: () throws -> Marker) throws -> ExitCode {
        var status = FilterStatus(arguments)
        if let file = try single(arguments) {
            let message = try read(file)
            let marked = Result { try marker()(message) }
            Output.standard.write(status.take(marked) ?? message)
            return status.exitCode
        }
        let input = try Inputs.of(arguments)
        let visitor = FilterVisitor(status, Result { try marker() })
        try input.read(visitor)
        return visitor.exitCode
    }

    /// Scores here.
    static func local(_ arguments: Arguments, _ folder: UserFolder) throws -> Marker {
        let basis = try ScoringBasis(arguments, folder)
        let scorer = MessageScorer(basis)
        return { message in
            let verdict = try scorer.score(message.span)
            return (MarkedMessage(message, verdict, basis.marking).bytes(), verdict.isSpam)
        }
    }

    /// The file of the one message that is to be filtered; nil when there may be several.
    private static func single(_ arguments: Arguments) throws -> String? {
        let options = SpamscoreOptions.self
        guard arguments.operands.count < 2, !arguments[options.mbox], arguments[options.files] == nil,
            arguments[options.files0] == nil
        else { return nil }
        guard let file = arguments.operands.first, file != "-" else { return "-" }
        return Files.isDirectory(file) ? nil : file
    }

    private static func read(_ file: String) throws -> [UInt8] {
        if file == "-" { return try FileDescriptor(owning: dup(0), subject: "standard input").readAll() }
        do throws(SystemError) {
            return try Files.read(file)
        } catch {
            throw ToolFailure(.noInput, "\(TerminalText.escape(file)): cannot be read: \(error.reason)")
        }
    }
}

/// How a run of the filter ends.
struct FilterStatus {
    private let failsClosed: Bool
    private let spamIsNegative: Bool
    private var hasFailed = false
    private var hasSpam = false

    init(_ arguments: Arguments) {
        failsClosed = arguments[SpamscoreOptions.failClosed]
        spamIsNegative = arguments[SpamscoreOptions.exitCode]
    }

    var exitCode: ExitCode {
        if hasFailed, failsClosed { return .temporaryFailure }
        return hasSpam && spamIsNegative ? .negative : .ok
    }

    /// The marked message; nil when it could not be marked: it must not be lost for that.
    mutating func take(_ marked: Result<(bytes: [UInt8], isSpam: Bool), any Error>) -> [UInt8]? {
        switch marked {
        case .success(let marked):
            if marked.isSpam { hasSpam = true }
            return marked.bytes
        case .failure(let error):
            hasFailed = true
            Diagnostics.say("\((error as? ToolFailure)?.message ?? "\(error)"): the message passes unmarked")
            return nil
        }
    }
}

/// Writes each message, marked, into an mboxrd stream.
private final class FilterVisitor: MessageVisitor {
    private var status: FilterStatus
    private let marker: Result<Filter.Marker, any Error>
    private var writer = MboxWriter(format: .mboxrd)
    private var problem: ExitCode?

    private static let fromLine = Array("From MAILER-DAEMON Thu Jan  1 00:00:00 1970".utf8)

    init(_ status: FilterStatus, _ marker: Result<Filter.Marker, any Error>) {
        self.status = status
        self.marker = marker
    }

    var exitCode: ExitCode { problem ?? status.exitCode }

    func visit(_ input: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let message = bytes.array
        let bytes = status.take(marker.flatMap { marker in Result { try marker(message) } }) ?? message
        writer.begin(
            fromLine: input.envelope ?? FilterVisitor.fromLine, header: [], fieldsEnd: nil,
            lastLineEnd: bytes.last == ASCII.lf ? .present : .missing)
        writer.write(bytes.span)
        writer.end()
        Output.standard.write(writer.output.span.extracting(0..<writer.readyCount))
        writer.removeReady()
        return true
    }

    func report(_ problem: InputProblem) {
        self.problem = problem.kind == .unreadable ? .noInput : self.problem ?? .dataError
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }
}
