import Bytes
import CommandLineTool
import Mailboxes
import POP3
import Unix

/// --count, --list and --dry-run of a POP3 server: what it has, by sizes and headers, without fetching the messages.
struct POP3Survey: Sendable {
    private let arguments: Arguments
    private let settings: POP3Settings
    private var account: POP3Account { settings.account }

    init(_ arguments: Arguments, _ account: POP3Account) throws {
        self.arguments = arguments
        settings = try POP3Settings(arguments, account)
    }

    private var source: Source { Source(fetchedFrom: account.name, to: "") }

    /// Counts or lists all messages; what was counted, when that was asked for.
    func look() throws -> SourceReport? {
        let (tally, taken) = try EventLoop.run { _ in
            guard try MessageChoice(arguments).takesAll, !arguments[Mboxconv.list] else {
                return try await scan(leavingOut: [], lists: arguments[Mboxconv.list])
            }
            let conversation = try await POP3Conversation.open(settings)
            let (messages, octets) = try await conversation.status()
            await conversation.quit()
            return (Count(messages: messages, octets: octets), Count(messages: messages, octets: octets))
        }
        return arguments[Mboxconv.list] ? nil : report(tally, taken)
    }

    /// Says what a run would fetch.
    func dryRun(_ destination: String) throws -> ExitCode {
        let isStream = destination == "-" || Files.kind(destination) == .other
        let store = FetchStore(
            folder: FetchStore.folder(for: destination),
            uniqueIDFile: arguments[POP3Settings.uniqueIDs] ?? (isStream ? FetchStore.nowhere : nil),
            account: account.key, synchronizing: false)
        let options = store.hasHistory ? arguments.setting(Mboxconv.append, to: true) : arguments
        let empty = try TemporaryDirectory(prefix: "mboxconv")
        let conversion = try Conversion(options, fetched: Source(fetchedFrom: account.name, to: empty.path))
        try conversion.checkDestination()
        let known = try store.knownIDs()
        let start = ContinuousClock.now
        let (tally, taken) = try EventLoop.run { _ in
            try await scan(leavingOut: known, lists: arguments[Mboxconv.verbose])
        }
        var report = ConversionReport(destination: destination, format: conversion.format)
        report.add(
            source, Tally(messages: tally.messages, bytes: tally.octets), passed: taken.messages,
            passedBytes: taken.octets, seconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6)
        report.seconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6
        report.write(arguments)
        return report.exitCode
    }

    private func report(_ tally: Count, _ taken: Count) -> SourceReport {
        SourceReport(
            source, Tally(messages: tally.messages, bytes: tally.octets), passed: taken.messages,
            passedBytes: taken.octets)
    }

    struct Count: Sendable {
        var messages = 0
        /// With CRLF line ends, as the server counts them.
        var octets = 0
    }

    /// Goes through the messages whose ids are not `known`: all of them, and those that are chosen. Headers are looked at
    /// only where something asks for them.
    private func scan(
        leavingOut known: Set<String>, lists: Bool
    ) async throws -> (all: Count, taken: Count) {
        let choice = try MessageChoice(arguments)
        let conversation = try await POP3Conversation.open(settings)
        let messages = try await conversation.listing().filter { $0.id.map { !known.contains($0) } ?? true }
        let all = Count(messages: messages.count, octets: messages.reduce(0) { $0 + $1.octets })
        guard lists || !choice.takesAll else {
            await conversation.quit()
            return (all, all)
        }
        var sink = TransferSink(
            Discard(), choice: choice,
            listing: lists ? MessageListing(arguments, ReportOutput(messagesTo: nil)) : nil)
        try sink.begin(source)
        var start: [UInt8] = []
        let showsTops = conversation.canShowTops
        do {
            try await conversation.retrieve(messages) { message in
                showsTops ? .top(message.number, lines: 0) : .retrieve(message.number)
            } refused: { message, reply in
                Diagnostics.say(settings.failure(.refused(reply, "message \(message.number)")).message)
            } piece: { bytes in
                guard start.count < MessageHead.limit else { return }
                start.append(span: bytes.extracting(0..<min(bytes.count, MessageHead.limit - start.count)))
            } end: { message in
                guard let head = MessageHead(start: start, isComplete: true) else { return }
                let id = message.id.map { Array($0.utf8) }
                let envelope = Envelope(name: id, flags: head.flags, received: head.date, size: message.octets)
                try sink.begin(envelope, head)
                try sink.end(size: message.octets)
                start.removeAll(keepingCapacity: true)
            }
        } catch let broken as POP3Broken {
            throw ToolFailure(.temporaryFailure, "\(account.name): \(broken.reason): try again later")
        }
        await conversation.quit()
        return (all, Count(messages: sink.count, octets: sink.passed))
    }
}
