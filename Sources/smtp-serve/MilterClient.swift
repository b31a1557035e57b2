import Bytes
import Delivery
import FilterProtocols
import Network
import SMTP
import Unix

/// One milter beside one session: it is told of each step as it comes, from the connection on, and may end it there.
/// Used from one task.
final class MilterClient {
    /// What a milter says of a step.
    enum Answer: Sendable {
        case goOn
        case refused(Reply)
        /// The message is to be taken and thrown away.
        case discarded
        /// Why the milter did not do its work.
        case failed(String)
    }

    /// What the milter is not asked about any more.
    private enum Exemption { case none, message, connection }

    let address: FilterAddress
    private let settings: FilterSettings
    private var connection: Connection?
    private var session = MilterSession()
    private var exemption = Exemption.none
    private var failure: String?
    private var isDiscarding = false
    /// What it was told of the client, to be told again when it has to be connected to anew.
    private var client: MilterConnection?
    private var hello: MilterStep?

    init(_ address: FilterAddress, _ settings: FilterSettings) {
        self.address = address
        self.settings = settings
    }

    deinit { connection?.close() }

    // MARK: Steps

    func connect(_ client: MilterConnection) async -> Answer {
        self.client = client
        return await ask { try await self.open(client) }
    }

    /// HELO, EHLO or LHLO; what was being sent before is broken off by it.
    func hello(_ name: String, tls: (version: String, cipher: String)?) async -> Answer {
        let step = MilterStep.hello(name, tls: tls)
        hello = step
        guard exemption != .connection, failure == nil else { return .goOn }
        return await ask {
            try await self.abort()
            return try await self.tell(step)
        }
    }

    func mail(_ step: MilterStep) async -> Answer {
        if exemption == .connection { return .goOn }
        exemption = .none
        isDiscarding = false
        return await ask {
            if self.failure != nil {
                // Perhaps it is there again.
                guard let answer = try await self.reopen() else { return .goOn }
                if case .goOn = answer {} else { return answer }
            }
            try await self.abort()
            return try await self.tell(step)
        }
    }

    func recipient(_ step: MilterStep) async -> Answer { await tellOfMessage(step) }

    func data() async -> Answer { await tellOfMessage(.data) }

    private func tellOfMessage(_ step: MilterStep) async -> Answer {
        if let failure { return .failed(failure) }
        if exemption != .none || isDiscarding { return .goOn }
        return await ask { try await self.tell(step) }
    }

    /// The session is over.
    func quit() async {
        guard let connection else { return }
        connection.write(MilterSession.quit)
        try? await connection.flush(timeout: settings.timeout)
        connection.close()
        self.connection = nil
    }

    // MARK: The message

    /// Shows the message and makes the changes that the milter wants. `message` begins with the server's own fields, of
    /// which the milter is not told.
    func look(at message: FilteredMessage) async -> FilterOutcome {
        if let failure { return .failed(failure) }
        if isDiscarding { return .discarded }
        // One that is named twice has given its verdict.
        if exemption != .none || !session.isInMessage { return .passes(message) }
        do {
            return try await show(message)
        } catch {
            return .failed(fail("\(error)"))
        }
    }

    private func show(_ message: FilteredMessage) async throws -> FilterOutcome {
        let content = message.content
        session.open(
            MilterEdit(
                own: message.trace, start: content.start(limit: MilterClient.headerLimit),
                sender: "<\(message.sender)>", recipients: message.recipients.map { "<\($0)>" }))
        for step in session.headerSteps {
            if let outcome = try await outcome(of: step, message) { return outcome }
        }
        if let outcome = try await outcome(of: .endOfHeader, message) { return outcome }
        let body = content.dropping(session.edit?.headerSize ?? 0)
        if session.wantsBody, let outcome = try await show(body, message) { return outcome }
        return try await end(message, body)
    }

    /// Beyond so many octets a header counts as body.
    private static let headerLimit = 1 << 20

    /// Shows the body; nil when it is to be gone on with.
    private func show(_ body: MessageContent, _ message: FilteredMessage) async throws -> FilterOutcome? {
        var parts = body.parts
        var previous: UInt8 = 0
        while let part = parts.next() {
            let text = MilterSession.withCRLF(part, previous: &previous)
            for start in stride(from: 0, to: text.count, by: MilterSession.bodyChunk) {
                let chunk = Array(text[start..<min(start + MilterSession.bodyChunk, text.count)])
                let reaction = try await exchange(.body(chunk))
                if reaction == .skip { return nil }
                if let outcome = outcome(reaction, message) { return outcome }
            }
        }
        return nil
    }

    private func outcome(of step: MilterStep, _ message: FilteredMessage) async throws -> FilterOutcome? {
        outcome(try await exchange(step), message)
    }

    /// What an answer before the end of the message means for it; nil: go on.
    private func outcome(_ reaction: MilterSession.Reaction, _ message: FilteredMessage) -> FilterOutcome? {
        switch reaction {
        case .goOn, .skip, .wait, .body: return nil
        case .accept:
            exemption = .message
            return .passes(message)
        case .discard: return .discarded
        case .reject(let text): return .refused(MilterClient.refusal(text))
        case .tempfail(let text): return .refused(MilterClient.delay(text))
        case .malformed(let reason): return .failed(fail(reason))
        }
    }

    /// The end of the message: changes come, and then the verdict.
    private func end(_ message: FilteredMessage, _ body: MessageContent) async throws -> FilterOutcome {
        let newBody = SharedSpool()
        var reaction = try await exchange(.endOfMessage)
        while case .body(let piece) = reaction {
            guard newBody.count + piece.count <= settings.limit else {
                return .failed(fail("its body is larger than a message may be"))
            }
            try await newBody.append(piece)
            reaction = try await answer()
        }
        guard reaction == .goOn || reaction == .accept, let edit = session.edit else {
            return outcome(reaction, message) ?? .failed(fail("no verdict"))
        }
        if let reason = edit.quarantine { return .quarantined(reason) }
        var changed = message
        if edit.isHeaderChanged || edit.replacesBody {
            // The server's own fields are part of the header now.
            changed.trace = []
            let header = message.isBinary ? MilterSession.withCRLF(edit.header) : edit.header
            changed.content = (edit.replacesBody ? try await newBody.finish() : body).below(header)
        }
        changed.sender = MilterClient.bare(edit.sender)
        changed.recipients = edit.recipients.map(MilterClient.bare)
        return .passes(changed)
    }

    // MARK: The connection

    private func open(_ client: MilterConnection) async throws -> Answer {
        failure = nil
        exemption = .none
        session = MilterSession()
        connection = try await settings.connect(address)
        let begin = try await exchange(session.begin())
        guard begin == .goOn else { return .failed(fail("no negotiation")) }
        return try await tell(.connect(client))
    }

    /// Connects anew and says what was said before; nil when there was nothing.
    private func reopen() async throws -> Answer? {
        guard let client else { return nil }
        let answer = try await open(client)
        guard case .goOn = answer, let hello, exemption == .none else { return answer }
        return try await tell(hello)
    }

    private func abort() async throws {
        let bytes = session.abort()
        guard !bytes.isEmpty, let connection else { return }
        connection.write(bytes)
        try await connection.flush(timeout: settings.timeout)
    }

    /// Runs a step; an error on the way is the milter's failure.
    private func ask(_ body: () async throws -> Answer) async -> Answer {
        do {
            return try await body()
        } catch {
            return .failed(fail("\(error)"))
        }
    }

    private func fail(_ reason: String) -> String {
        connection?.close()
        connection = nil
        failure = reason
        return reason
    }

    private func tell(_ step: MilterStep) async throws -> Answer {
        switch try await exchange(step) {
        case .goOn, .skip, .wait, .body: return .goOn
        case .accept:
            exemption = session.isInMessage ? .message : .connection
            return .goOn
        case .discard:
            isDiscarding = session.isInMessage
            return isDiscarding ? .discarded : .goOn
        // A greeting is 554 or 421, when it is none (RFC 5321 4.3.2).
        case .reject(nil) where step.isConnect: return .refused(Reply(554, "5.7.1", "refused by a filter"))
        case .tempfail(nil) where step.isConnect: return .refused(Reply(421, "4.7.1", "try again later"))
        case .reject(let text): return .refused(MilterClient.refusal(text))
        case .tempfail(let text): return .refused(MilterClient.delay(text))
        case .malformed(let reason): return .failed(fail(reason))
        }
    }

    private func exchange(_ step: MilterStep) async throws -> MilterSession.Reaction {
        try await exchange(session.take(step))
    }

    private func exchange(_ request: MilterSession.Request) async throws -> MilterSession.Reaction {
        guard let connection else { throw FilterSettings.Unreachable(description: "the connection is gone") }
        guard !request.bytes.isEmpty else { return .goOn }
        connection.write(request.bytes)
        try await connection.flush(timeout: settings.timeout)
        return request.expectsAnswer ? try await answer() : .goOn
    }

    private func answer() async throws -> MilterSession.Reaction {
        while true {
            let reaction = session.receive(try await packet())
            if reaction != .wait { return reaction }
        }
    }

    private func packet() async throws -> MilterPacket {
        guard let connection else { throw FilterSettings.Unreachable(description: "the connection is gone") }
        while true {
            let input = connection.input
            switch MilterPacket.read(input.bytes) {
            case .packet(let packet, let length):
                connection.input.consume(length)
                return packet
            case .malformed: throw FilterSettings.Unreachable(description: "what came is no milter packet")
            case .needsMore:
                guard try await connection.receive(timeout: settings.timeout) else { throw ConnectionError.closed }
            }
        }
    }

    // MARK: Replies

    private static func refusal(_ text: String?) -> Reply {
        text.flatMap { Reply(wireLines: $0) } ?? Reply(550, "5.7.1", "refused by a filter")
    }

    private static func delay(_ text: String?) -> Reply {
        text.flatMap { Reply(wireLines: $0) } ?? Reply(451, "4.7.1", "try again later")
    }

    private static func bare(_ path: String) -> String {
        path.hasPrefix("<") && path.hasSuffix(">") ? String(path.dropFirst().dropLast()) : path
    }
}

extension MilterStep {
    fileprivate var isConnect: Bool {
        if case .connect = self { true } else { false }
    }
}
