import Bytes
import CommandLineTool
import Glibc
import Network
import OpenSSL
import Unix

/// How mail hosts are probed.
struct ProbeSettings: Sendable {
    let port: UInt16
    /// The name of this host for EHLO.
    let helo: String
    /// With a sender the probe goes on to MAIL and RCPT; mail is never sent.
    let sender: String?
    let recipient: String?
    /// End after the handshake.
    let startTLSOnly: Bool
    /// For each step.
    let timeout: Duration
    let deadline: ContinuousClock.Instant?
}

/// One address of a mail host, and what came of speaking with it; each fact apart from the others.
struct ProbeResult: Sendable {
    /// Why there was no conversation.
    enum Failure: Sendable {
        case timedOut
        /// This host has no way there: no fault of the other side.
        case noRoute(String)
        case failed(String)
        /// Connected, but there was no greeting of a mail server.
        case noGreeting(String)
    }

    /// A reply of the server, and how long it took.
    struct Answer: Sendable {
        let code: Int
        /// Without the code.
        let lines: [String]
        let milliseconds: Double

        var text: String { lines.first.map { $0.isEmpty ? "\(code)" : "\(code) \($0)" } ?? "\(code)" }
        var isPositive: Bool { code / 100 == 2 }
    }

    /// How encryption went.
    enum Encryption: Sendable {
        /// Nobody asked for it.
        case untried
        case notOffered
        case refused(Answer)
        case failed(String)
        case done(TLSDescription, TLSInspection?, milliseconds: Double)
    }

    let host: String
    let address: IPAddress
    let port: UInt16
    var failure: Failure?
    var greeting: Answer?
    var hello: Answer?
    var encryption = Encryption.untried
    var helloAfterTLS: Answer?
    var mail: Answer?
    var recipient: Answer?
    /// Why the conversation broke off after the greeting.
    var problem: String?

    /// The extensions of a reply to EHLO: its lines after the first.
    static func extensions(_ hello: Answer?) -> [String] {
        hello.map { $0.isPositive ? Array($0.lines.dropFirst()) : [] } ?? []
    }

    var place: String { "\(address.isIPv6 ? "[\(address)]" : "\(address)"):\(port)" }

    var inspection: TLSInspection? {
        if case .done(_, let inspection, _) = encryption { inspection } else { nil }
    }
}

/// A conversation with one address of a mail host: greeting, EHLO, STARTTLS, EHLO, with a sender MAIL and RCPT, QUIT.
struct SMTPProbe {
    private let settings: ProbeSettings
    private let context: TLSContext?
    private var result: ProbeResult

    /// Why the conversation cannot go on.
    private struct Break: Error {
        let reason: String
    }

    static func run(
        _ host: String, _ address: IPAddress, _ settings: ProbeSettings, _ context: TLSContext?
    ) async -> ProbeResult {
        var probe = SMTPProbe(
            settings: settings, context: context,
            result: ProbeResult(host: host, address: address, port: settings.port))
        await probe.talk()
        return probe.result
    }

    private init(settings: ProbeSettings, context: TLSContext?, result: ProbeResult) {
        self.settings = settings
        self.context = context
        self.result = result
    }

    private mutating func talk() async {
        let connection: Connection
        do throws(ConnectionError) {
            connection = try await Connection.connect(
                to: .ip(result.address, port: settings.port), timeout: timeout)
        } catch {
            result.failure = SMTPProbe.failure(error, result.address)
            return
        }
        defer { connection.close() }
        do throws(Break) {
            try await converse(connection)
        } catch {
            if result.greeting == nil {
                result.failure = .noGreeting(error.reason)
            } else {
                result.problem = error.reason
            }
        }
    }

    private static func failure(_ error: ConnectionError, _ address: IPAddress) -> ProbeResult.Failure {
        switch error {
        case .timedOut: .timedOut
        // Many networks have a way out for IPv6 that leads nowhere.
        case .system(let system) where system.isNoRoute || address.isIPv6 && system.code == EHOSTUNREACH:
            .noRoute("no route from this host")
        default: .failed("\(error)")
        }
    }

    /// For the next step: cut to the end of the run.
    private var timeout: Duration {
        settings.deadline.map { max(.milliseconds(1), min(settings.timeout, $0 - .now)) } ?? settings.timeout
    }

    private mutating func converse(_ connection: Connection) async throws(Break) {
        let greeting = try await reply(connection)
        result.greeting = greeting
        guard greeting.isPositive else {
            await quit(connection)
            return
        }
        let hello = try await hello(connection)
        result.hello = hello
        guard hello.isPositive else {
            await quit(connection)
            return
        }
        try await encrypt(connection, hello)
        if !settings.startTLSOnly, result.inspection != nil {
            result.helloAfterTLS = try await command("EHLO \(settings.helo)", connection)
        }
        if !settings.startTLSOnly, let sender = settings.sender, let recipient = settings.recipient {
            let mail = try await command("MAIL FROM:<\(sender)>", connection)
            result.mail = mail
            if mail.isPositive {
                result.recipient = try await command("RCPT TO:<\(recipient)>", connection)
                _ = try await command("RSET", connection)
            }
        }
        await quit(connection)
    }

    /// EHLO, and HELO for a server that does not know it (RFC 5321 3.2).
    private func hello(_ connection: Connection) async throws(Break) -> ProbeResult.Answer {
        let answer = try await command("EHLO \(settings.helo)", connection)
        return answer.code / 100 == 5 ? try await command("HELO \(settings.helo)", connection) : answer
    }

    private mutating func encrypt(_ connection: Connection, _ hello: ProbeResult.Answer) async throws(Break) {
        let offers = ProbeResult.extensions(hello).contains { $0.asciiLowercased.hasPrefix("starttls") }
        guard offers else {
            result.encryption = .notOffered
            return
        }
        guard let context else {
            result.problem = "OpenSSL 3 is not installed: TLS was not tried"
            return
        }
        let answer = try await command("STARTTLS", connection)
        guard answer.code == 220 else {
            result.encryption = .refused(answer)
            return
        }
        let start = ContinuousClock.now
        do throws(ConnectionError) {
            try await connection.startTLS(
                client: context, serverName: result.host, checkingName: false, timeout: timeout)
        } catch {
            result.encryption = .failed("\(error)")
            throw Break(reason: "the handshake failed")
        }
        guard let description = connection.tls else { throw Break(reason: "the handshake did not end") }
        result.encryption = .done(
            description, connection.inspectCertificates(host: result.host),
            milliseconds: SMTPProbe.milliseconds(since: start))
    }

    private func quit(_ connection: Connection) async {
        _ = try? await command("QUIT", connection, timeout: min(timeout, .seconds(2)))
    }

    // MARK: Commands and replies

    private func command(
        _ line: String, _ connection: Connection, timeout: Duration? = nil
    ) async throws(Break) -> ProbeResult.Answer {
        connection.write("\(line)\r\n")
        do throws(ConnectionError) {
            try await connection.flush(timeout: timeout ?? self.timeout)
        } catch {
            throw Break(reason: "\(error)")
        }
        return try await reply(connection, timeout: timeout)
    }

    /// A reply has no more lines than this.
    private static let lineLimit = 128

    private func reply(
        _ connection: Connection, timeout: Duration? = nil
    ) async throws(Break) -> ProbeResult.Answer {
        let start = ContinuousClock.now
        var lines: [String] = []
        while lines.count < SMTPProbe.lineLimit {
            let bytes: [UInt8]?
            do throws(ConnectionError) {
                bytes = try await connection.receiveLine(limit: 4_096, timeout: timeout ?? self.timeout)
            } catch {
                throw Break(reason: "\(error)")
            }
            guard let bytes else { throw Break(reason: "the connection was closed by the other side") }
            guard bytes.count >= 3, bytes[..<3].allSatisfy(\.isASCIIDigit), let code = Int(bytes[..<3].text),
                bytes.count == 3 || bytes[3] == ASCII.space || bytes[3] == ASCII.dash
            else { throw Break(reason: "the server does not speak SMTP: \(bytes.prefix(60).text)") }
            lines.append(bytes.dropFirst(4).text)
            if bytes.count == 3 || bytes[3] == ASCII.space {
                return ProbeResult.Answer(
                    code: code, lines: lines, milliseconds: SMTPProbe.milliseconds(since: start))
            }
        }
        throw Break(reason: "a reply without end")
    }

    private static func milliseconds(since start: ContinuousClock.Instant) -> Double {
        Double((ContinuousClock.now - start) / .microseconds(1)) / 1_000
    }
}
