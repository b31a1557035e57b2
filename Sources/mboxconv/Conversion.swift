import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// One run that copies sources to a destination.
struct Conversion {
    private let arguments: Arguments
    private let destination: String
    private let look: Source.Look
    private let sources: [Source]
    private let choice: MessageChoice
    private let split: MessageSplit?
    private let plan: DestinationPlan
    private let settings: WriteSettings
    /// Called when everything is there and lasts, before what tells how to go on is removed.
    private let settled: () throws -> Void

    /// With `fetched`, that is the source, whatever the operands say.
    init(_ arguments: Arguments, fetched: Source? = nil, settled: @escaping () throws -> Void = {}) throws {
        self.arguments = arguments
        self.settled = settled
        guard let last = arguments.operands.last, arguments.operands.count >= 2 else {
            throw ToolFailure(
                .usage,
                arguments.operands.isEmpty
                    ? "no SOURCE and DESTINATION given: see --help"
                    : "no DESTINATION given: name one, or use --count or --list to look at a SOURCE")
        }
        destination = last
        let names = fetched == nil ? Array(arguments.operands.dropLast()) : []
        choice = try MessageChoice(arguments)
        split = try arguments[Mboxconv.split].map { try MessageSplit($0) }
        try SamePlace(destination, isTree: arguments[Mboxconv.recursive]).refuse(names)
        let isReread =
            arguments[Mboxconv.verify] || arguments[Mboxconv.resume] || choice.needsPlan || split?.needsSize ?? false
        look = Source.Look(
            format: arguments[Mboxconv.from], lockTimeout: arguments.lockTimeout, spool: Spool(), isReread: isReread)
        sources = try fetched.map { [$0] } ?? Self.sources(names, look, arguments)
        let form = DestinationForm(destination, arguments)
        let format = try form.format(appendingLike: look)
        plan = DestinationPlan(
            base: destination, format: format, isTree: arguments[Mboxconv.recursive] || format == .maildirPlusPlus,
            isSplit: split != nil, folders: Set(sources.map(\.folder)))
        try form.check(plan)
        let options = [
            "to \(format.rawValue)", "crlf \(arguments[Mboxconv.crlf])", "strip \(arguments[Mboxconv.stripStatus])",
            "where \(arguments[Mboxconv.selection] ?? "")", "split \(arguments[Mboxconv.split] ?? "")",
            "dedupe \(arguments[Mboxconv.dedupe])",
        ]
        settings = WriteSettings(
            arguments, format: format,
            identity: sources.map { "source \($0.identity)" } + ["options " + options.joined(separator: ", ")])
    }

    /// The mailboxes that the operands name.
    static func sources(_ names: [String], _ look: Source.Look, _ arguments: Arguments) throws -> [Source] {
        let isTree = arguments[Mboxconv.recursive] || look.given == .maildirPlusPlus
        return try names.flatMap { name -> [Source] in
            if let account = try POP3Account(name) { return [try POP3Fetch.source(account, look.spool, arguments)] }
            guard isTree else {
                let source = try Source(name, look)
                let folders = source.subfolders
                if source.format.isMaildir, folders > 0, !arguments[Mboxconv.quiet] {
                    Diagnostics.say(
                        "\(name): \(folders) folder\(folders == 1 ? " in it is" : "s in it are") left out: "
                            + "use --recursive")
                }
                return [source]
            }
            let tree = try SourceFolders(name, look)
            if !arguments[Mboxconv.quiet] {
                for other in tree.others { Diagnostics.say(other) }
            }
            return tree.sources
        }
    }

    /// Converts; a signal ends it with what was done.
    static func run(_ arguments: Arguments) throws -> ExitCode {
        do {
            if arguments.operands.contains(where: POP3Account.isAccount) { return try POP3Fetch.run(arguments) }
            return try Conversion(arguments).convert()
        } catch let interrupted as Interrupted {
            Diagnostics.say("\(arguments.operands.last ?? "-"): interrupted: \(interrupted.left)")
            return ExitCode(128 + (Interruption.signal ?? SIGINT))
        }
    }

    /// What the destination is written as.
    var format: MailboxFormat { plan.format }

    /// Refuses a destination that cannot be written to.
    func checkDestination() throws { if !isResumed { try refuseWhatIsThere() } }

    func convert() throws -> ExitCode {
        if !arguments[Mboxconv.dryRun], try isCompleteAlready() { return .ok }
        if choice.hasEquality, arguments[Mboxconv.append], plan.isSingle, !isResumed, isThere {
            try choice.seed(with: written)
        }
        if choice.needsPlan || split?.needsSize ?? false { try choice.makePlan(sources) }
        choice.rewind()
        let report = ConversionReport(destination: destination, format: plan.format)
        let start = ContinuousClock.now
        var finished: ConversionReport
        if arguments[Mboxconv.dryRun] {
            try refuseWhatIsThere()
            var sink = transferSink(Discard(), listing: true)
            finished = try transfer(into: &sink, report) {}
        } else {
            raiseDescriptorLimit()
            finished = try write(report)
        }
        finished.seconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6
        finished.unselected = choice.unselected
        finished.duplicates = choice.duplicates
        if arguments[Mboxconv.verify], !arguments[Mboxconv.dryRun] { finished.verification = try verify() }
        finished.write(arguments)
        return finished.exitCode
    }

    private func write(_ report: ConversionReport) throws -> ConversionReport {
        try checkDestination()
        let tree = try DestinationTree(plan, settings, settled: settled)
        var sink = transferSink(tree, listing: true)
        var report = report
        do {
            // A destination that stays empty is made too.
            if plan.isSingle { try tree.select(DestinationKey()) }
            let groups = plan.isTree && sources.count > 1
            report = try transfer(into: &sink, report) { if groups { try tree.completeOpen() } }
        } catch is Interrupted {
            throw Interrupted(left: try tree.interrupt())
        } catch {
            tree.abandon()
            throw error
        }
        try tree.complete()
        report.destinations = plan.isSingle ? [] : tree.written.map { ($0.path, $0.messages) }
        return report
    }

    private func transferSink(_ router: any MessageRouter, listing: Bool) -> TransferSink {
        let shows = listing && !arguments[Mboxconv.quiet]
        var total: Int?
        if shows, arguments[Mboxconv.progress] == "always" || isatty(2) != 0 {
            total = sources.reduce(0) { sum, source in sum.flatMap { sum in source.size.map { sum + $0 } } }
        }
        return TransferSink(
            router, choice: choice, split: split,
            listing: listing && arguments[Mboxconv.verbose]
                ? MessageListing(arguments, ReportOutput(messagesTo: destination)) : nil,
            progress: shows ? arguments[Mboxconv.progress] : "never", total: total)
    }

    /// Passes all messages on. `completed` is called when no more messages of a folder come.
    private func transfer(
        into sink: inout TransferSink, _ report: ConversionReport, completed: () throws -> Void
    ) throws -> ConversionReport {
        var report = report
        for (index, source) in sources.enumerated() {
            let start = ContinuousClock.now
            let passed = sink.count
            let bytes = sink.passed
            try sink.begin(source)
            let tally = try source.read(into: &sink)
            report.add(
                source, tally, passed: sink.count - passed, passedBytes: sink.passed - bytes,
                seconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6)
            let isLastOfFolder = !sources[(index + 1)...].contains { $0.folder == source.folder }
            if isLastOfFolder {
                try completed()
                sink.deselect()
            }
        }
        sink.finish()
        return report
    }

    // MARK: What is there

    private var isThere: Bool { destination != "-" && Files.exists(destination) && Files.kind(destination) != .other }
    /// The destination, to be read.
    private var written: Source {
        get throws {
            try Source(
                destination,
                Source.Look(
                    format: plan.format.rawValue, lockTimeout: look.lockTimeout, spool: look.spool, isReread: true))
        }
    }

    /// An earlier run has left its journal.
    var isResumed: Bool {
        guard settings.isResuming else { return false }
        let path =
            plan.isSingle ? WriteSettings.journalPath(plan.format, plan.path(DestinationKey())) : plan.journalPath
        return Files.exists(path)
    }

    private func verify() throws -> Verification.Outcome {
        let verification = Verification(
            plan: plan, crlf: settings.crlf, isAppended: settings.isAppending || settings.isResuming)
        let look = Source.Look(
            format: plan.format == .maildirPlusPlus ? "maildir" : plan.format.rawValue, lockTimeout: look.lockTimeout,
            spool: look.spool, isReread: true)
        return try verification.compare(look) { router in
            choice.rewind()
            var sink = transferSink(router, listing: false)
            _ = try transfer(into: &sink, ConversionReport(destination: destination, format: plan.format)) {}
        }
    }

    /// With --resume: whether an earlier run was ended only after it had removed its journal.
    private func isCompleteAlready() throws -> Bool {
        guard settings.isResuming, !isResumed, isThere else { return false }
        let outcome = try? verify()
        guard outcome?.isSame ?? false else { return false }
        // Nothing to compare is no proof.
        var sink = transferSink(Discard(), listing: false)
        choice.rewind()
        var report = try transfer(into: &sink, ConversionReport(destination: destination, format: plan.format)) {}
        guard report.messages > 0 else { return false }
        report.verification = outcome
        report.write(arguments)
        return true
    }

    /// What is there is not overwritten, and not added to unless that is wanted.
    private func refuseWhatIsThere() throws {
        guard !settings.isAppending, destination != "-" else { return }
        let keys = plan.isSplit ? [] : plan.isTree ? plan.folders.sorted { $0.lexicographicallyPrecedes($1) } : [[]]
        for key in keys {
            let path = plan.path(DestinationKey(folder: key))
            if Files.exists(WriteSettings.journalPath(plan.format, path)) { continue }
            try settings.refuseUnlessEmpty(path)
        }
        guard plan.isTree else { return }
        let places = Set(keys.compactMap { FileIdentity(plan.path(DestinationKey(folder: $0))) })
        for source in sources {
            if let identity = FileIdentity(source.name), places.contains(identity) {
                throw ToolFailure(
                    .usage, "\(source.name): source and destination are the same: name another destination")
            }
        }
    }

    /// Many destinations are open at a time when messages are split.
    private func raiseDescriptorLimit() {
        guard plan.isSplit else { return }
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
