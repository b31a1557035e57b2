import Bytes
import CommandLineTool
import Glibc
import POP3
import Unix

/// Fetches the mail of a POP3 server into a destination: what that has not yet, once, whatever happens.
///
/// Messages are fetched beside the destination first; then they are converted to it as any directory of messages is, and
/// their ids are noted; then, if wished, they are removed from the server. Each of these goes on where it was when the
/// run before was cut off.
struct POP3Fetch {
    private let arguments: Arguments
    private let settings: POP3Settings
    private let store: FetchStore
    private var account: POP3Account { settings.account }
    /// So many connections in a row may break without a message having come.
    private static let fruitlessLimit = 3

    /// Fetches from all sources, which must all be servers.
    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let destination = arguments.operands.last, arguments.operands.count >= 2 else {
            throw ToolFailure(
                .usage, "no DESTINATION given: name one, or use --count or --list to look at a SOURCE")
        }
        guard !POP3Account.isAccount(destination) else {
            throw ToolFailure(.usage, "\(destination): mail cannot be put on a POP3 server: name a mailbox")
        }
        let accounts = try arguments.operands.dropLast().map { name throws(ToolFailure) in
            guard let account = try POP3Account(name) else {
                throw ToolFailure(.usage, "\(name): fetch mail in one run, and convert mailboxes in another")
            }
            return account
        }
        guard arguments[Mboxconv.from] == "auto" else {
            throw ToolFailure(.usage, "--from: is for mailboxes: leave it out for pop3://")
        }
        var code = ExitCode.ok
        for account in accounts {
            let settings = try POP3Settings(arguments, account)
            let ended =
                arguments[Mboxconv.dryRun]
                ? try POP3Survey(arguments, account).dryRun(destination)
                : try POP3Fetch.run(arguments, settings, destination)
            if code == .ok { code = ended }
        }
        return code
    }

    private static func run(
        _ arguments: Arguments, _ settings: POP3Settings, _ destination: String
    ) throws -> ExitCode {
        let isStream = destination == "-" || Files.kind(destination) == .other
        if settings.deletes, isStream {
            throw ToolFailure(.usage, "--delete-after: \(destination) cannot be made to last: name a file or directory")
        }
        if settings.deletes, arguments[Mboxconv.noSync] {
            throw ToolFailure(.usage, "--delete-after: nothing is removed before it lasts here: leave out --no-sync")
        }
        if settings.deletes, arguments[Mboxconv.selection] != nil {
            throw ToolFailure(.usage, "--delete-after: would remove what --where leaves out: leave out one of the two")
        }
        let temporary = isStream ? try TemporaryDirectory(prefix: "mboxconv") : nil
        defer { withExtendedLifetime(temporary) {} }
        let folder = temporary?.path ?? FetchStore.folder(for: destination)
        let store = FetchStore(
            folder: folder, uniqueIDFile: arguments[POP3Settings.uniqueIDs] ?? (isStream ? FetchStore.nowhere : nil),
            account: settings.account.key, synchronizing: !arguments[Mboxconv.noSync])
        do throws(SystemError) { try store.make() } catch { throw DestinationFailure.cannotCreate(folder, error) }
        guard let lock = try DirectoryLock.tryAcquire(folder) else {
            throw ToolFailure(
                .temporaryFailure, "\(destination): another run is fetching into it: wait for its end")
        }
        let outcome = Result {
            try store.removeLeftovers()
            return try run(arguments, settings, store)
        }
        store.removeIfEmpty()
        _ = consume lock
        return try outcome.get()
    }

    private static func run(
        _ arguments: Arguments, _ settings: POP3Settings, _ store: FetchStore
    ) throws -> ExitCode {
        // Mail that is fetched is added to what was fetched before.
        var arguments = arguments
        if store.hasHistory { arguments = arguments.setting(Mboxconv.append, to: true) }
        var code = ExitCode.ok
        if store.hasFetched {
            let fetch = POP3Fetch(arguments: arguments, settings: settings, store: store)
            code = try fetch.convert(resuming: true)
            arguments = arguments.setting(Mboxconv.append, to: true)
        }
        let fetch = POP3Fetch(
            arguments: arguments.setting(Mboxconv.resume, to: false), settings: settings, store: store)
        // Before anything is fetched that then has nowhere to go.
        let empty = try TemporaryDirectory(prefix: "mboxconv")
        try Conversion(fetch.arguments, fetched: Source(fetchedFrom: settings.account.name, to: empty.path))
            .checkDestination()
        let ended = try EventLoop.run { _ in try await fetch.fetch() }
        return code == .ok ? ended : code
    }

    /// For other uses than a conversion that can be resumed: all messages of an account, in temporary files.
    static func source(_ account: POP3Account, _ spool: Spool, _ arguments: Arguments) throws -> Source {
        let settings = try POP3Settings(arguments, account)
        let folder = try spool.makeFolder()
        let store = FetchStore(
            folder: folder, uniqueIDFile: FetchStore.nowhere, account: account.key, synchronizing: false)
        let fetch = POP3Fetch(arguments: arguments, settings: settings, store: store)
        try EventLoop.run { _ in
            var progress = Progress(fetch.arguments[Mboxconv.progress], unit: "messages fetched")
            let fetched = try await fetch.fetchAll(&progress)
            await fetched.conversation?.quit()
        }
        try store.seal()
        return Source(fetchedFrom: account.name, to: store.fetched)
    }

    // MARK: The steps

    /// What the server had, and what it would not give.
    private struct Fetched {
        var conversation: POP3Conversation?
        var listed: [ListedPOP3Message] = []
        /// The numbers of those that were fetched, which tell more than ids where the server has none.
        var numbers: Set<Int> = []
        var refusals: [String] = []
    }

    private func fetch() async throws -> ExitCode {
        var progress = Progress(
            arguments[Mboxconv.quiet] ? "never" : arguments[Mboxconv.progress], unit: "messages fetched")
        let fetched = try await fetchAll(&progress)
        progress.finish()
        if !settings.deletes {
            await fetched.conversation?.quit()
            if !fetched.listed.allSatisfy({ $0.id != nil }), !arguments[Mboxconv.quiet] {
                Diagnostics.say("\(account.name): has no unique ids: the next run fetches all of it again")
            }
        }
        try store.seal()
        let code = try convert(resuming: false)
        var left = fetched.listed
        if settings.deletes { left = try await delete(fetched) }
        try store.keepOnly(Set(left.compactMap(\.id)))
        for refusal in fetched.refusals { Diagnostics.say(refusal) }
        return code == .ok && !fetched.refusals.isEmpty ? .temporaryFailure : code
    }

    /// Fetches what the destination does not have, over as many connections as it takes.
    private func fetchAll(_ progress: inout Progress) async throws -> Fetched {
        let spool = try store.openFetching()
        let known = try store.knownIDs()
        var fruitless = 0
        while true {
            let before = spool.ids.count
            do {
                return try await fetch(into: spool, known, &progress)
            } catch let broken as POP3Broken {
                spool.abandon()
                fruitless = spool.ids.count > before ? 0 : fruitless + 1
                guard fruitless < Self.fruitlessLimit, !spool.ids.contains(MessageSpool.noID) else {
                    throw ToolFailure(
                        .temporaryFailure,
                        "\(account.name): \(broken.reason): \(spool.state): run it again")
                }
            } catch is Interrupted {
                throw Interrupted(left: "\(spool.state): run it again")
            }
        }
    }

    private func fetch(
        into spool: MessageSpool, _ known: Set<String>, _ progress: inout Progress
    ) async throws -> Fetched {
        let conversation = try await POP3Conversation.open(settings)
        var fetched = Fetched(conversation: conversation)
        fetched.listed = try await conversation.listing()
        let wanted = fetched.listed.filter { message in
            // A message without an id is not known again.
            message.id.map { !known.contains($0) && !spool.ids.contains($0) } ?? true
        }
        let total = wanted.reduce(0) { $0 + $1.octets }
        var count = 0
        var done = 0
        var refusals: [String] = []
        var numbers: Set<Int> = []
        try await conversation.retrieve(wanted) {
            .retrieve($0.number)
        } refused: { message, reply in
            refusals.append(settings.failure(.refused(reply, "message \(message.number)")).message)
        } piece: { bytes in
            try spool.write(bytes)
            done += bytes.count
            progress.update(count: count, done: done, total: total)
        } end: { message in
            try spool.end(id: message.id ?? MessageSpool.noID)
            numbers.insert(message.number)
            count += 1
        }
        fetched.numbers = numbers
        fetched.refusals = refusals
        return fetched
    }

    /// Converts what was fetched; when that lasts, its ids are noted.
    private func convert(resuming: Bool) throws -> ExitCode {
        let ids = try store.fetchedIDs()
        let known = try store.knownIDs()
        // The ids are noted before the conversion's own journal is removed: with that gone, too, it is through.
        let isThrough = resuming && ids.allSatisfy(known.contains)
        let options = resuming ? arguments.setting(Mboxconv.resume, to: true) : arguments
        let conversion = try Conversion(options, fetched: Source(fetchedFrom: account.name, to: store.fetched)) {
            Output.standard.flush()
            try store.note(ids.filter { $0 != MessageSpool.noID })
        }
        let code = isThrough && !conversion.isResumed ? .ok : try conversion.convert()
        try store.removeFetched()
        return code
    }

    /// Removes from the server what the destination has; returns what stays there.
    private func delete(_ fetched: Fetched) async throws -> [ListedPOP3Message] {
        let known = try store.knownIDs()
        if let conversation = fetched.conversation {
            do {
                return try await delete(fetched.listed, conversation) { message in
                    message.id.map(known.contains) ?? fetched.numbers.contains(message.number)
                }
            } catch is POP3Broken {
                // The server has not waited: the same over another connection.
            }
        }
        let conversation = try await POP3Conversation.open(settings)
        do {
            return try await delete(try await conversation.listing(), conversation) { message in
                message.id.map(known.contains) ?? false
            }
        } catch let broken as POP3Broken {
            throw ToolFailure(
                .temporaryFailure, "\(account.name): \(broken.reason): messages are left on it: run it again")
        }
    }

    private func delete(
        _ listed: [ListedPOP3Message], _ conversation: POP3Conversation, where isHere: (ListedPOP3Message) -> Bool
    ) async throws -> [ListedPOP3Message] {
        try await conversation.deleteAndQuit(listed.filter(isHere))
        return listed.filter { !isHere($0) }
    }
}
