import CommandLineTool
import Delivery
import Unix

/// Sends messages by SMTP: to one server, or to the hosts that take the mail of each recipient.
enum SmtpSend: Tool {
    static func interpret(_ words: [String], calledAs name: String) throws(ToolFailure) -> [String] {
        try SendmailWords.translate(words, calledAs: name) ?? words
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        if arguments[SendOptions.newAliases] { return .ok }
        let queueing = try QueueOptions(arguments)
        if let code = try queueing?.answer(arguments) { return code }
        let plan = try SendPlan(arguments)
        let report = Report(form: plan.reportForm, progress: plan.progress)
        if let queueing, queueing.mode != .submit { return try run(queueing, plan, report) }
        if let script = arguments[SendOptions.script] {
            let run = try ScriptRun(
                script, plan, isJSON: arguments[SendOptions.json], isQuiet: arguments[SendOptions.quiet])
            return try EventLoop.run { _ in await run.run(plan.routes) }
        }
        if arguments[SendOptions.stdio] { return try runSession(queueing, plan) }
        let source = try MessageSource(arguments, envelope: plan.envelope)
        if arguments[SendOptions.dryRun] { return printBatch(source, plan, report) }
        if let queueing {
            let runner = QueueRunner(try queueing.open(), plan, queueing, report)
            try EventLoop.run { _ in await runner.submit(source, isSending: !queueing.onlyQueues) }
            report.finish()
            return report.exitCode
        }
        let silent = SilentAddresses()
        try EventLoop.run { _ in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<plan.connections {
                    group.addTask {
                        let courier = Courier(routes: plan.routes, settings: plan.settings, silent: silent)
                        await work(source, courier, plan.rate, report)
                    }
                }
            }
        }
        report.finish()
        return report.exitCode
    }

    /// --stdio.
    private static func runSession(_ options: QueueOptions?, _ plan: SendPlan) throws -> ExitCode {
        let report = Report(form: .failuresOnly)
        let queue = try options?.open()
        try EventLoop.run { _ in
            let courier = Courier(routes: plan.routes, settings: plan.settings, silent: SilentAddresses())
            let session = LocalSession(
                hostName: plan.settings.heloName ?? Host.name, queue: queue, courier: courier, report: report)
            try await session.run()
            guard let options, let queue, !options.onlyQueues else { return }
            await QueueRunner(queue, plan, options, report).run(session.queued)
        }
        return report.exitCode
    }

    /// --run and --watch.
    private static func run(_ options: QueueOptions, _ plan: SendPlan, _ report: Report) throws -> ExitCode {
        let runner = QueueRunner(try options.open(creating: options.mode == .watch), plan, options, report)
        try EventLoop.run { _ in
            if options.mode == .watch {
                try await runner.watch()
            } else {
                try await runner.runOnce(onlyDue: options.onlyDue)
            }
        }
        report.finish()
        return options.mode == .watch ? .ok : report.exitCode
    }

    /// --dry-run: the messages and envelopes, nothing sent.
    private static func printBatch(_ source: MessageSource, _ plan: SendPlan, _ report: Report) -> ExitCode {
        var batch = BatchSMTP(heloName: plan.settings.heloName)
        while true {
            do {
                guard let message = try source.next() else { break }
                batch.write(message)
            } catch {
                report.add(inputFailure: error)
            }
        }
        batch.finish()
        return report.exitCode
    }

    /// One courier takes messages until there are none. A message that cannot be read does not stop the others.
    private static func work(
        _ source: MessageSource, _ courier: Courier, _ rate: RateLimit?, _ report: Report
    ) async {
        while true {
            do {
                guard let message = try source.next() else { break }
                await rate?.wait()
                report.add(await courier.deliver(message), message: message.name)
            } catch {
                report.add(inputFailure: error)
            }
        }
        await courier.quit()
    }
}
