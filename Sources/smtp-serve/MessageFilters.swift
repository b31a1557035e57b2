import Bytes
import Delivery
import FilterProtocols
import Network
import SMTP
import Unix

/// What a filter is told of a message, and what it may change.
struct FilteredMessage: Sendable {
    /// The server's own fields, which stand above the content; empty when a filter has taken them into it.
    var trace: [UInt8]
    /// The message as it came, or as filters have made it, with LF line ends.
    var content: MessageContent
    var sender: String
    var recipients: [String]
    let identifier: String
    let client: SocketAddress
    let helloName: String
    let hostName: String
    var user: String?
    var tls: (version: String, cipher: String)?
    /// It came with BODY=BINARYMIME: its line ends are CRLF.
    var isBinary = false

    /// The message with the server's own fields.
    var whole: MessageContent { content.below(trace) }

    /// Another has written the message anew, with the server's own fields in it.
    func replaced(by content: MessageContent) -> FilteredMessage {
        var changed = self
        changed.trace = []
        changed.content = content
        return changed
    }
}

/// What a filter says.
enum FilterOutcome: Sendable {
    /// It goes on, as it is now.
    case passes(FilteredMessage)
    case refused(Reply)
    case discarded
    /// Why it does not belong into a mailbox.
    case quarantined(String)
    /// Why the filter did not do its work.
    case failed(String)
}

/// Asks filters about messages. Messages go to them and come from them a part at a time.
struct FilterRunner {
    let settings: FilterSettings
    /// Those that have followed the session; nil for a filter of one recipient alone.
    let milters: SessionMilters?

    func run(_ filter: FilterSpecification, _ message: FilteredMessage) async -> FilterOutcome {
        switch filter {
        case .program(let command): return await runProgram(command, message)
        case .spamd(let address): return await ask(address) { try await askSpamd($0, message) }
        case .clamd(let address): return await ask(address) { try await askClamd($0, message) }
        case .milter(let address):
            if let milter = milters?.client(at: address) { return await milter.look(at: message) }
            return await askMilter(address, message)
        }
    }

    private func runProgram(_ command: String, _ message: FilteredMessage) async -> FilterOutcome {
        let environment = [
            "SENDER": message.sender, "RECIPIENTS": message.recipients.joined(separator: " "),
            "CLIENT": "\(message.client)", "HELO": message.helloName, "MESSAGE_ID": message.identifier,
        ]
        let outcome = await MessageProgram.run(
            command, message.whole, environment: environment, timeout: settings.timeout, limit: settings.limit)
        switch outcome {
        case .exited(0, let printed): return .passes(printed.count > 0 ? message.replaced(by: printed) : message)
        case .exited(1, _): return .refused(Reply(550, "5.7.1", "the message was refused by a filter"))
        case .exited(let code, _): return .failed("ended with \(code)")
        case .failed(let reason): return .failed(reason)
        }
    }

    // MARK: Services

    private func ask(
        _ address: FilterAddress, _ body: (Connection) async throws -> FilterOutcome
    ) async -> FilterOutcome {
        do {
            let connection = try await settings.connect(address)
            defer { connection.close() }
            return try await body(connection)
        } catch {
            return .failed("\(error)")
        }
    }

    /// PROCESS of spamd: the message comes back rewritten.
    private func askSpamd(_ connection: Connection, _ message: FilteredMessage) async throws -> FilterOutcome {
        let content = message.whole
        connection.write("PROCESS SPAMC/1.5\r\nContent-length: \(content.count)\r\n\r\n")
        var parts = content.parts
        while let part = parts.next() {
            connection.write(part)
            try await connection.flush(timeout: settings.timeout)
        }
        guard let status = try await connection.receiveLine(limit: 4_096, timeout: settings.timeout)?.text else {
            return .failed("no answer")
        }
        let words = status.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("SPAMD/"), words[1] == "0" else { return .failed(status) }
        var length: Int?
        while let line = try await connection.receiveLine(limit: 4_096, timeout: settings.timeout), !line.isEmpty {
            let field = line.text
            if field.asciiLowercased.hasPrefix("content-length:") {
                length = Int(String(field.dropFirst(15)).filter { $0 != " " })
                if length == nil { return .failed("Content-length cannot be read") }
            }
        }
        let spool = SharedSpool()
        while connection.input.isEmpty ? try await connection.receive(timeout: settings.timeout) : true {
            try await spool.append(connection.input.takeAll())
            if spool.count > settings.limit { return .failed("the answer is larger than a message may be") }
        }
        let answer = try await spool.finish()
        guard length == nil || length == answer.count, answer.count > 0 else {
            return .failed("the answer was cut off")
        }
        return .passes(message.replaced(by: answer))
    }

    private func askClamd(_ connection: Connection, _ message: FilteredMessage) async throws -> FilterOutcome {
        do {
            connection.write(ClamdProtocol.beginning)
            var parts = message.content.parts
            while let part = parts.next() {
                connection.write(ClamdProtocol.chunk(part))
                try await connection.flush(timeout: settings.timeout)
            }
            connection.write(ClamdProtocol.end)
            try await connection.flush(timeout: settings.timeout)
        } catch {
            // When it does not want all of the stream, it has said why.
        }
        var answer: [UInt8] = []
        while !answer.contains(0), answer.count < 4_096 {
            if connection.input.isEmpty {
                guard try await connection.receive(timeout: settings.timeout) else { break }
            }
            answer += connection.input.takeAll()
        }
        switch ClamdProtocol.answer(answer.prefix { $0 != 0 && $0 != ASCII.lf }) {
        case .clean: return .passes(message)
        case .found(let name): return .quarantined("infected: \(name)")
        case .failed(let reason): return .failed(reason)
        }
    }

    /// A milter that was not asked before: it is told of everything now.
    private func askMilter(_ address: FilterAddress, _ message: FilteredMessage) async -> FilterOutcome {
        let milter = MilterClient(address, settings)
        let connection = MilterConnection(message.client, clientName: nil, hostName: message.hostName)
        var answer = await milter.connect(connection)
        if case .goOn = answer { answer = await milter.hello(message.helloName, tls: message.tls) }
        if case .goOn = answer {
            answer = await milter.mail(
                .mail("<\(message.sender)>", parameters: [], user: message.user, identifier: message.identifier))
        }
        for recipient in message.recipients {
            if case .goOn = answer { answer = await milter.recipient(.recipient("<\(recipient)>", parameters: [])) }
        }
        if case .goOn = answer { answer = await milter.data() }
        let outcome: FilterOutcome
        switch answer {
        case .goOn: outcome = await milter.look(at: message)
        case .refused(let reply): outcome = .refused(reply)
        case .discarded: outcome = .discarded
        case .failed(let reason): outcome = .failed(reason)
        }
        await milter.quit()
        return outcome
    }
}
