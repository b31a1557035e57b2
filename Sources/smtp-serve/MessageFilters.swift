import Bytes
import DNS
import FilterProtocols
import Network
import SMTP
import Unix

/// What a filter is told of a message, and what it may change.
struct FilteredMessage: Sendable {
    var content: [UInt8]
    var sender: String
    var recipients: [String]
    let identifier: String
    let client: SocketAddress
    let helloName: String
    let hostName: String
    var user: String?
    var tls: (version: String, cipher: String)?
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

/// Asks filters about messages.
struct FilterRunner: Sendable {
    let timeout: Duration
    /// The most that a filter may give back, in bytes.
    let limit: Int
    let resolver: Resolver?

    func run(_ filter: FilterSpecification, _ message: FilteredMessage) async -> FilterOutcome {
        switch filter {
        case .program(let command): return await runProgram(command, message)
        case .spamd(let address): return await ask(address) { try await self.askSpamd($0, message) }
        case .clamd(let address): return await ask(address) { try await self.askClamd($0, message) }
        case .milter(let address): return await ask(address) { try await self.askMilter($0, message) }
        }
    }

    private func runProgram(_ command: String, _ message: FilteredMessage) async -> FilterOutcome {
        let environment = [
            "SENDER": message.sender, "RECIPIENTS": message.recipients.joined(separator: " "),
            "CLIENT": "\(message.client)", "HELO": message.helloName, "MESSAGE_ID": message.identifier,
        ]
        let outcome = await MessageProgram.run(
            command, message.content, environment: environment, timeout: timeout, limit: limit)
        switch outcome {
        case .exited(0, let printed):
            var changed = message
            if !printed.isEmpty { changed.content = printed }
            return .passes(changed)
        case .exited(1, _): return .refused(Reply(550, "5.7.1", "the message was refused by a filter"))
        case .exited(let code, _): return .failed("ended with \(code)")
        case .failed(let reason): return .failed(reason)
        }
    }

    // MARK: Services

    private func ask(
        _ address: FilterAddress, _ body: @Sendable (Connection) async throws -> FilterOutcome
    ) async -> FilterOutcome {
        do {
            let connection = try await connect(address)
            defer { connection.close() }
            return try await body(connection)
        } catch {
            return .failed("\(error)")
        }
    }

    private struct Unreachable: Error, CustomStringConvertible { let description: String }

    private func connect(_ address: FilterAddress) async throws -> Connection {
        switch address.host {
        case .address(let address): return try await Connection.connect(to: address, timeout: timeout)
        case .name(let name, let port):
            guard let resolver else { throw Unreachable(description: "\(name): names are not looked up") }
            var last: (any Error)?
            for address in await resolver.addresses(of: name).addresses {
                do {
                    return try await Connection.connect(to: .ip(address, port: port), timeout: timeout)
                } catch {
                    last = error
                }
            }
            throw last ?? Unreachable(description: "\(name) has no address")
        }
    }

    /// PROCESS of spamd: the message comes back rewritten.
    private func askSpamd(_ connection: Connection, _ message: FilteredMessage) async throws -> FilterOutcome {
        connection.write("PROCESS SPAMC/1.5\r\nContent-length: \(message.content.count)\r\n\r\n")
        connection.write(message.content)
        try await connection.flush(timeout: timeout)
        guard let status = try await connection.receiveLine(limit: 4_096, timeout: timeout)?.text else {
            return .failed("no answer")
        }
        let words = status.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("SPAMD/"), words[1] == "0" else { return .failed(status) }
        var length: Int?
        while let line = try await connection.receiveLine(limit: 4_096, timeout: timeout), !line.isEmpty {
            let field = line.text
            if field.asciiLowercased.hasPrefix("content-length:") {
                length = Int(String(field.dropFirst(15)).filter { $0 != " " })
            }
        }
        let content = try await rest(connection)
        guard length == nil || length == content.count, !content.isEmpty else {
            return .failed("the answer was cut off")
        }
        var changed = message
        changed.content = content
        return .passes(changed)
    }

    private func askClamd(_ connection: Connection, _ message: FilteredMessage) async throws -> FilterOutcome {
        connection.write(ClamdProtocol.request(message.content.span))
        // When it does not want all of the stream, it has said why.
        try? await connection.flush(timeout: timeout)
        let answer = try await rest(connection)
        switch ClamdProtocol.answer(answer.prefix { $0 != 0 && $0 != ASCII.lf }) {
        case .clean: return .passes(message)
        case .found(let name): return .quarantined("infected: \(name)")
        case .failed(let reason): return .failed(reason)
        }
    }

    /// Everything up to the end of the stream, or to a NUL, or to the limit.
    private func rest(_ connection: Connection) async throws -> [UInt8] {
        var content: [UInt8] = []
        while content.count <= limit {
            if connection.input.isEmpty {
                guard try await connection.receive(timeout: timeout) else { return content }
            }
            content += connection.input.takeAll()
            if content.last == ASCII.nul { return content }
        }
        return content
    }

    private func askMilter(_ connection: Connection, _ message: FilteredMessage) async throws -> FilterOutcome {
        var shown = MilterMessage(
            hostName: message.hostName, clientName: message.client.ip.map { "[\($0)]" } ?? "localhost",
            helloName: message.helloName, sender: "<\(message.sender)>",
            recipients: message.recipients.map { "<\($0)>" }, identifier: message.identifier, content: message.content)
        if case .ip(let address, let port) = message.client {
            shown.clientAddress = ("\(address.unmapped)", address.unmapped.isIPv6, port)
        }
        shown.user = message.user
        shown.tls = message.tls
        var session = MilterSession(shown)
        while let (bytes, expectsAnswer) = session.next() {
            connection.write(bytes)
            try await connection.flush(timeout: timeout)
            var isWaiting = expectsAnswer
            while isWaiting {
                switch session.receive(try await packet(connection)) {
                case .goOn: isWaiting = false
                case .wait: break
                case .malformed(let reason): return .failed(reason)
                case .done(let verdict):
                    connection.write(MilterPacket("Q").bytes)
                    try? await connection.flush(timeout: timeout)
                    return FilterRunner.outcome(verdict, message)
                }
            }
        }
        return .failed("no verdict")
    }

    private func packet(_ connection: Connection) async throws -> MilterPacket {
        while true {
            let input = connection.input
            switch MilterPacket.read(input.bytes) {
            case .packet(let packet, let length):
                connection.input.consume(length)
                return packet
            case .malformed: throw Unreachable(description: "what came is no milter packet")
            case .needsMore:
                guard try await connection.receive(timeout: timeout) else { throw ConnectionError.closed }
            }
        }
    }

    private static func outcome(_ verdict: MilterVerdict, _ message: FilteredMessage) -> FilterOutcome {
        switch verdict {
        case .accept(let content, let sender, let recipients):
            var changed = message
            changed.content = content
            changed.sender = bare(sender)
            changed.recipients = recipients.map(bare)
            return .passes(changed)
        case .discard: return .discarded
        case .quarantine(let reason): return .quarantined(reason)
        case .reject(let text):
            return .refused(text.flatMap { Reply($0) } ?? Reply(550, "5.7.1", "the message was refused by a filter"))
        case .tempfail(let text):
            return .refused(text.flatMap { Reply($0) } ?? Reply(451, "4.7.1", "try again later"))
        }
    }

    private static func bare(_ path: String) -> String {
        path.hasPrefix("<") && path.hasSuffix(">") ? String(path.dropFirst().dropLast()) : path
    }
}
