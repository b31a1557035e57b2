import CommandLineTool
import Delivery
import Unix

/// Sends messages by SMTP: to one server, or to the hosts that take the mail of each recipient.
enum SmtpSend: Tool {
    static let description = ToolDescription(
        name: "smtp-send",
        summary: "send messages by SMTP, and say what became of each recipient",
        synopsis: ["[options] [MESSAGE...]"],
        details: """
            Sends each MESSAGE to its recipients: a file with one message, an mbox, a Maildir; - or none is standard \
            input (one message, or an mboxrd stream). Line ends become CRLF, dots are stuffed, and no bare CR or LF \
            leaves; else the bytes go out as they are.

            Without --server, the domain of each recipient says where to: its mail exchanges are tried by preference \
            and address by address (RFC 5321 5.1). A temporary failure leads to the next, a permanent one is final.

            With --subject, --header, --body or --attach it composes the message itself. With -t the recipients stand in \
            the header, as sendmail(8) has it: Bcc is removed, and From, Date and Message-ID are added when missing.

            One recipient that is refused does not stop the others. What became of each is told one a line, failures \
            on standard error.
            """,
        options: SendOptions.all,
        sections: [
            .init(
                "JSON",
                """
                With --json, one object a recipient: recipient, outcome (accepted, refused, temporary), code (the reply \
                code, null when there was no reply), enhanced (the enhanced status code), text, host, port, tls (the \
                version of TLS, null in clear), ms (milliseconds from the first attempt), message (the file's name).
                """),
            .init(
                "SIGNING",
                """
                --dkim signs with DKIM (RFC 6376, RFC 8463), with several keys when given several times. From, Subject, To, \
                Date, Cc, Reply-To, Content-Type and MIME-Version are signed once more than they stand there, so that none \
                can be added; absent fields are left out. --dkim-options: c= (relaxed/relaxed), h= names in place of \
                these, x= the lifetime, i= the identity, l signs the length, so that a body may grow; t= always stands.

                --arc-seal adds an ARC set (RFC 8617) above a message: the chain is validated first, and the \
                Authentication-Results of --authserv-id are sealed. A chain that has failed is sealed once. What cannot \
                be signed ends with 65: no From or two, h= without from, i= outside of the domain, an RSA key under \
                1024 bits.
                """),
            .init(
                "TLS AND PASSWORDS",
                """
                With --tls auto, STARTTLS is used when the server offers it. With --server it is verified; the hosts of \
                MX records get it as it comes, and the mail in clear when it fails (RFC 7435). With require there is no \
                mail without verified TLS; implicit is TLS from the first octet on.

                A password is shown to the --server only, and without TLS to this machine only, unless --tls never says \
                otherwise. CRAM-MD5 does not show it.
                """),
        ],
        examples: [
            .init(
                "Send a message to a server",
                "smtp-send --server localhost:2525 --from a@example.org --to b@example.org m.eml"),
            .init(
                "Send it where the recipients' domains say, with a result a recipient for a script",
                "smtp-send --json --from a@example.org --to b@example.net,c@example.com m.eml"),
            .init(
                "Compose a message with an attachment",
                "smtp-send --to b@example.org --subject Figures --body 'As promised.' --attach figures.pdf"),
            .init(
                "See what would be sent, signed",
                "smtp-send --dry-run --dkim example.org:s1:key.pem --from a@example.org --to b@example.net m.eml"),
            .init(
                "See what a server says, up to RCPT",
                "smtp-send -v --quit-after rcpt --server mx.example.org --to b@example.org"),
        ],
        exitCodes: [
            (.ok, "all recipients accepted"),
            (.usage, "wrong usage"),
            (.dataError, "a message cannot be used"),
            (.noInput, "a message file cannot be read"),
            (.noHost, "no such host or domain"),
            (.unavailable, "some or all refused for good"),
            (.ioError, "reading or writing failed"),
            (.temporaryFailure, "some or all not delivered yet: try again later"),
            (.protocolError, "the server does not speak SMTP"),
            (.noPermission, "the server refused the credentials"),
        ],
        seeAlso: ["smtp-serve(1)", "mx(1)"])

    static func interpret(_ words: [String], calledAs name: String) throws(ToolFailure) -> [String] {
        try SendmailWords.translate(words, calledAs: name) ?? words
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        if arguments[SendOptions.newAliases] { return .ok }
        let queueing = try QueueOptions(arguments)
        if let code = try queueing?.answer(arguments) { return code }
        let plan = try SendPlan(arguments)
        let report = Report(form: plan.reportForm)
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
            let runner = QueueRunner(try Queue(queueing.path), plan, queueing, report)
            try EventLoop.run { _ in await runner.submit(source, isSending: !queueing.onlyQueues) }
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
        let queue = try options.map { try Queue($0.path) }
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
        let runner = QueueRunner(try Queue(options.path, creating: options.mode == .watch), plan, options, report)
        try EventLoop.run { _ in
            if options.mode == .watch {
                try await runner.watch()
            } else {
                try await runner.runOnce(onlyDue: options.onlyDue)
            }
        }
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
