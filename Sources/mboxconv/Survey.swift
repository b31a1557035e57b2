import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// --count and --list: what the sources hold.
struct Survey {
    private let arguments: Arguments
    private let choice: MessageChoice
    private let output = ReportOutput(messagesTo: nil)

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        guard !arguments.operands.isEmpty else { throw ToolFailure(.usage, "no SOURCE given: see --help") }
        choice = try MessageChoice(arguments)
    }

    func run() throws -> ExitCode {
        do {
            return try look()
        } catch is Interrupted {
            Diagnostics.say("interrupted")
            return ExitCode(128 + (Interruption.signal ?? SIGINT))
        }
    }

    private func look() throws -> ExitCode {
        let look = Source.Look(
            format: arguments[Mboxconv.from], lockTimeout: arguments.lockTimeout, spool: Spool(),
            isReread: choice.needsPlan)
        var code = ExitCode.ok
        let sources = choice.needsPlan ? try Conversion.sources(arguments.operands, look, arguments) : []
        if choice.needsPlan { try choice.makePlan(sources) }
        choice.rewind()
        for name in arguments.operands {
            if !choice.needsPlan, let account = try POP3Account(name) {
                if let report = try POP3Survey(arguments, account).look() { count(report) }
                continue
            }
            let found = choice.needsPlan ? sources : try Conversion.sources([name], look, arguments)
            for source in found {
                for failure in try survey(source) {
                    Diagnostics.say(failure.message)
                    code = failure.exitCode
                }
            }
            if choice.needsPlan { break }
        }
        return code
    }

    /// Says what a source holds; returns what could not be read of it.
    private func survey(_ source: Source) throws -> [ToolFailure] {
        if arguments[Mboxconv.list] {
            var sink = TransferSink(Discard(), choice: choice, listing: MessageListing(arguments, output))
            try sink.begin(source)
            return try source.read(into: &sink).failures
        }
        if choice.takesAll, let tally = try tallyWithoutReading(source) {
            count(SourceReport(source, tally, passed: tally.messages, passedBytes: tally.bytes))
            return tally.failures
        }
        var sink = TransferSink(Discard(), choice: choice)
        try sink.begin(source)
        let tally = try source.read(into: &sink)
        count(SourceReport(source, tally, passed: sink.count, passedBytes: sink.passed))
        return tally.failures
    }

    /// A look at the whole of an mbox has counted it already; files of a directory need not be opened.
    private func tallyWithoutReading(_ source: Source) throws -> Tally? {
        if let survey = source.survey {
            return Tally(messages: survey.messages, bytes: survey.bytes, findings: survey.findings)
        }
        guard case .directory(let format, let path) = source.storage else { return nil }
        return try source.countFiles(format, path)
    }

    private func count(_ report: SourceReport) {
        if arguments[Mboxconv.json] {
            var json = JSONWriter()
            report.write(to: &json)
            output.write(json.takeLine())
        } else {
            for line in report.findingLines where !arguments[Mboxconv.quiet] { Diagnostics.say(line) }
            output.write(Array((report.text + "\n").utf8))
        }
    }
}
