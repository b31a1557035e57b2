import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// --count and --list: what the sources hold.
struct Survey {
    private let arguments: Arguments

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        guard !arguments.operands.isEmpty else { throw ToolFailure(.usage, "no SOURCE given: see --help") }
    }

    func run() throws -> ExitCode {
        let spool = Spool()
        let output = ReportOutput(messagesTo: nil)
        for name in arguments.operands {
            do {
                let source = try Source(
                    name, format: arguments[Mboxconv.from], lockTimeout: arguments.lockTimeout, spool: spool,
                    isReread: arguments[Mboxconv.list])
                if arguments[Mboxconv.list] {
                    try list(source, output)
                } else {
                    count(source, try tally(source), output)
                }
            } catch is Interrupted {
                Diagnostics.say("interrupted")
                return ExitCode(130)
            }
        }
        return .ok
    }

    private func list(_ source: Source, _ output: ReportOutput) throws {
        var sink = ObservedSink(
            Discard(), listing: MessageListing(arguments, output), progress: "never", total: source.size)
        sink.begin(source: source.name)
        _ = try source.read(into: &sink)
    }

    /// A look at the whole of an mbox has counted it already.
    private func tally(_ source: Source) throws -> Tally {
        if let survey = source.survey {
            return Tally(messages: survey.messages, bytes: survey.bytes, findings: survey.findings)
        }
        if case .maildir(let path) = source.storage { return try sizes(path, of: source) }
        var sink = Discard()
        return try source.read(into: &sink)
    }

    /// What a Maildir holds, without opening its files.
    private func sizes(_ path: String, of source: Source) throws -> Tally {
        var tally = Tally()
        do throws(SystemError) {
            let maildir = try Maildir(path)
            for entry in try maildir.entries() {
                // One that is gone by now is not counted.
                guard let status = try? maildir.status(entry) else { continue }
                tally.messages += 1
                tally.bytes += Int(status.st_size)
            }
        } catch {
            throw Source.failure(source.name, error)
        }
        return tally
    }

    private func count(_ source: Source, _ tally: Tally, _ output: ReportOutput) {
        let report = SourceReport(
            name: source.name, format: source.format, reason: source.reason, isCertain: source.isCertain,
            tally: tally, seconds: 0)
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
