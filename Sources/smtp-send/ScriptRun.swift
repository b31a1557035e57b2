import Bytes
import CommandLineTool
import Network
import SMTP
import Unix

/// Plays a script to a server, and tells of each expectation whether it was met. The first that is not ends it.
struct ScriptRun {
    private let name: String
    private let script: Script
    private let server: ServerName
    private let settings: SendSettings
    private let isJSON: Bool
    private let isQuiet: Bool

    init(_ name: String, _ plan: SendPlan, isJSON: Bool, isQuiet: Bool) throws {
        guard case .server(let server) = plan.routes.destination else {
            throw ToolFailure(.usage, "--script: needs --server or --lmtp")
        }
        self.name = name
        self.server = server
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        settings = plan.settings
        let bytes =
            name == "-" ? try FileDescriptor(owning: 0, subject: "standard input").readAll() : try Files.read(name)
        script = try Script(bytes, name: name)
    }

    func run(_ routes: Routes) async -> ExitCode {
        do throws(ClientResult) {
            var failure = ClientResult(
                outcome: .temporary, enhanced: "4.4.4", text: "\(server) has no address", cause: .connection)
            let proxy = try await routes.proxyAddress()
            for exchange in try await routes.exchanges(for: nil) {
                for address in exchange.addresses {
                    do throws(ClientResult) {
                        let connection = try await settings.path.connect(
                            to: address, of: server, by: proxy, timeout: settings.connectTimeout)
                        var session = ScriptSession(connection, settings)
                        return await play(&session)
                    } catch {
                        failure = error
                    }
                }
            }
            throw failure
        } catch {
            Diagnostics.say("\(server): \(error.text)")
            return error.outcome == .refused ? .noHost : .temporaryFailure
        }
    }

    private func play(_ session: inout ScriptSession) async -> ExitCode {
        defer { session.connection.close() }
        if settings.tls.policy == .implicit, let problem = await session.startTLS(server) {
            Diagnostics.say("\(server): \(problem)")
            return .temporaryFailure
        }
        for (line, step) in script.steps {
            let outcome: ScriptSession.Outcome
            switch step {
            case .send(let bytes): outcome = await session.send(bytes)
            case .wait(let time):
                try? await EventLoop.sleep(for: time)
                continue
            case .startTLS:
                outcome =
                    await session.startTLS(server).map { .init(isMet: false, text: $0) }
                    ?? .init(isMet: true, text: "TLS")
            case .reply(let codes): outcome = await session.expectReply(codes)
            case .close: outcome = await session.expectClose()
            case .silence(let time): outcome = await session.expectSilence(time)
            }
            if case .send = step, outcome.isMet { continue }
            tell(line, step, outcome)
            if !outcome.isMet { return .protocolError }
        }
        return .ok
    }

    private func tell(_ line: Int, _ step: Script.Step, _ outcome: ScriptSession.Outcome) {
        if isJSON {
            var json = JSONWriter()
            json.object { json in
                json.field("line", line)
                json.field("expected", step.words)
                json.field("ok", outcome.isMet)
                json.field("code", outcome.code)
                json.field("text", outcome.text)
            }
            Output.standard.write(json.takeLine())
        } else if outcome.isMet, !isQuiet {
            Output.standard.writeLine(TerminalText.escape("\(name):\(line): ok: \(outcome.text)"))
        }
        if !outcome.isMet { Diagnostics.say("\(name):\(line): expected \(step.words), but \(outcome.text)") }
    }
}

extension Script.Step {
    /// What was expected, in words.
    fileprivate var words: String {
        switch self {
        case .send: "the server to listen"
        case .reply(let codes): codes.isEmpty ? "a reply" : codes.joined(separator: " or ")
        case .close: "the end of the connection"
        case .silence: "no reply"
        case .wait: "time to pass"
        case .startTLS: "TLS"
        }
    }
}

/// The connection that a script is played on.
private struct ScriptSession {
    struct Outcome {
        var isMet: Bool
        var code: Int?
        var text: String

        init(isMet: Bool, code: Int? = nil, text: String) {
            self.isMet = isMet
            self.code = code
            self.text = text
        }
    }

    let connection: Connection
    private let settings: SendSettings
    private var parser = ReplyParser()
    private var transcript: Transcript
    private var isClosed = false

    init(_ connection: Connection, _ settings: SendSettings) {
        self.connection = connection
        self.settings = settings
        transcript = Transcript(isOn: settings.isVerbose, showsSecrets: settings.showsSecrets)
    }

    private var timeout: Duration { settings.timeout ?? .seconds(30) }

    mutating func send(_ bytes: [UInt8]) async -> Outcome {
        transcript.sent(bytes, isConcealed: false)
        connection.write(bytes)
        do throws(ConnectionError) {
            try await connection.flush(timeout: timeout)
            return Outcome(isMet: true, text: "sent")
        } catch {
            // What the server said before it went is still to be read.
            return Outcome(isMet: connection.input.count > 0, text: "the connection broke: \(error)")
        }
    }

    mutating func startTLS(_ server: ServerName) async -> String? {
        do {
            try await connection.startTLS(
                client: try settings.tls.context(), serverName: server.tlsName, timeout: timeout)
            parser = ReplyParser()
            return nil
        } catch {
            return "TLS failed: \(error)"
        }
    }

    mutating func expectReply(_ codes: [String]) async -> Outcome {
        switch await reply(within: timeout) {
        case .success(let reply?):
            let isMet = codes.isEmpty || codes.contains { "\(reply.code)".hasPrefix($0) }
            let text = reply.oneLine
            return Outcome(isMet: isMet, code: reply.code, text: isMet ? text : "the server said \(text)")
        case .success(nil):
            return Outcome(isMet: false, text: isClosed ? "the connection was closed" : "nothing came in time")
        case .failure(let problem): return Outcome(isMet: false, text: problem.description)
        }
    }

    mutating func expectSilence(_ time: Duration) async -> Outcome {
        switch await reply(within: time) {
        case .success(let reply?):
            return Outcome(isMet: false, code: reply.code, text: "the server said \(reply.oneLine)")
        case .success(nil):
            return Outcome(isMet: !isClosed, text: isClosed ? "the connection was closed" : "no reply")
        case .failure(let problem): return Outcome(isMet: false, text: problem.description)
        }
    }

    mutating func expectClose() async -> Outcome {
        switch await reply(within: timeout) {
        case .success(let reply?):
            return Outcome(isMet: false, code: reply.code, text: "the server said \(reply.oneLine)")
        case .success(nil): return Outcome(isMet: isClosed, text: isClosed ? "closed" : "it stays open")
        case .failure(let problem): return Outcome(isMet: isClosed, text: problem.description)
        }
    }

    private struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    /// The next reply; nil when none came in time, or the connection ended.
    private mutating func reply(within time: Duration) async -> Result<Reply?, Problem> {
        let deadline = ContinuousClock.now + time
        while true {
            do {
                if let reply = try parser.next() { return .success(reply) }
                let rest = deadline - .now
                guard !isClosed, rest > .zero else { return .success(nil) }
                if connection.input.count == 0, !(try await connection.receive(timeout: rest)) {
                    isClosed = true
                    continue
                }
                let bytes = connection.input.takeAll()
                transcript.received(bytes.span)
                parser.append(bytes.span)
            } catch ConnectionError.timedOut {
                return .success(nil)
            } catch ConnectionError.closed {
                isClosed = true
            } catch {
                return .failure(Problem(description: "the server says what is no reply: \(error)"))
            }
        }
    }
}
