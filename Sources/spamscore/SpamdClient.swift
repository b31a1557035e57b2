import Bytes
import CommandLineTool
import FilterProtocols
import Glibc
import Mailboxes
import Network
import OpenSSL
import Unix

/// --connect: asks a server of the spamd protocol, as spamc does.
struct SpamdClient {
    private let address: ListenAddress
    private let user: String?
    /// How long a request may take in all; nil when it may take as long as something comes now and then.
    private let limit: Duration?

    /// Without --deadline.
    private static let patience = Duration.seconds(300)
    private static let answerLimit = 256 << 20

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let client = try SpamdClient(arguments)
        if arguments[SpamscoreOptions.filter] { return try Filter.run(arguments) { client.mark } }
        let visitor = SpamdVisitor(arguments, client)
        try Inputs.of(arguments).read(visitor)
        return visitor.exitCode
    }

    private init(_ arguments: Arguments) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        let text = arguments[options.connect] ?? ""
        guard let address = ListenAddress(text) else {
            throw ToolFailure(.usage, "--connect \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
        }
        self.address = address
        user = arguments[options.user] ?? SystemAccount.ownName
        if let user, user.isEmpty || user.utf8.contains(where: \.isASCIIControl) {
            throw ToolFailure(.usage, "--user \(TerminalText.escape(user)): not the name of a user")
        }
        limit = arguments.isGiven(options.deadline) ? arguments[options.deadline] : nil
    }

    /// Lets the server mark a message.
    private func mark(_ message: [UInt8]) throws(ToolFailure) -> (bytes: [UInt8], isSpam: Bool) {
        let answer = try ask(SpamdRequest(.process), message)
        if answer.content.isEmpty, !message.isEmpty {
            throw ToolFailure(.protocolError, "\(address.address): the message did not come back")
        }
        return (answer.content, answer.verdict?.isSpam ?? false)
    }

    /// One request on a connection of its own; what the server refuses is thrown.
    func ask(_ request: SpamdRequest, _ message: [UInt8]) throws(ToolFailure) -> SpamdClientMessage.Answer {
        var request = request
        request.message = message
        request.user = user
        let bytes: [UInt8]
        do {
            bytes = try EventLoop.run { [request] _ in try await exchange(request) }
        } catch {
            let reason = (error as? SystemError)?.reason ?? "\(error)"
            throw ToolFailure(.temporaryFailure, "\(address.address): \(reason)")
        }
        guard let answer = SpamdClientMessage.answer(bytes, to: request.method) else {
            throw ToolFailure(.protocolError, "\(address.address): no answer of the spamd protocol, or one cut short")
        }
        guard answer.code == 0 else {
            throw ToolFailure(
                SpamdClient.exitCode(answer.code),
                "\(address.address): the server says: \(TerminalText.escape(answer.text))")
        }
        return answer
    }

    /// The server's code, which is one of sysexits; 79 is its own for what took too long.
    private static func exitCode(_ code: Int) -> ExitCode {
        switch code {
        case 64...78: ExitCode(Int32(code))
        case 79: .temporaryFailure
        default: .protocolError
        }
    }

    private func exchange(_ request: SpamdRequest) async throws(ConnectionError) -> [UInt8] {
        let end = limit.map { ContinuousClock.now + $0 }
        func rest() -> Duration { end.map { max(.zero, $0 - .now) } ?? SpamdClient.patience }
        let connection = try await Connection.connect(to: address.address, timeout: rest())
        defer { connection.close() }
        if address.isTLS {
            let context: TLSContext
            do throws(OpenSSLError) {
                context = try TLSContext(verifying: false)
            } catch {
                throw .tls("\(error)")
            }
            try await connection.startTLS(client: context, serverName: "localhost", timeout: rest())
        }
        do throws(ConnectionError) {
            connection.write(SpamdClientMessage.request(request))
            try await connection.flush(timeout: rest())
        } catch .closed {
            // A server that does not want all of the message has said why.
        }
        var answer: [UInt8] = []
        while answer.count < SpamdClient.answerLimit, try await connection.receive(timeout: rest()) {
            answer += connection.input.takeAll()
        }
        return answer
    }
}

/// Asks about each message.
private final class SpamdVisitor: MessageVisitor {
    private let arguments: Arguments
    private let client: SpamdClient
    private let request: SpamdRequest
    private var hasSpam = false
    private var hadUnreadable = false
    private var hadNoMessage = false

    init(_ arguments: Arguments, _ client: SpamdClient) {
        let options = SpamscoreOptions.self
        self.arguments = arguments
        self.client = client
        var request: SpamdRequest
        if arguments.isGiven(options.learn) || arguments[options.forget] {
            request = SpamdRequest(.tell)
            request.telling.setsLocal = !arguments[options.forget]
            request.telling.removesLocal = arguments[options.forget]
            if request.telling.setsLocal { request.telling.kind = arguments[options.learn] == "spam" ? .spam : .ham }
        } else {
            request = SpamdRequest(arguments[options.json] ? .symbols : arguments[options.explain] ? .report : .check)
        }
        self.request = request
    }

    var exitCode: ExitCode {
        if hadUnreadable { return .noInput }
        if hadNoMessage { return .dataError }
        let options = SpamscoreOptions.self
        return hasSpam && (arguments[options.check] || arguments[options.exitCode]) ? .negative : .ok
    }

    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let begin = ContinuousClock.now
        let answer = try client.ask(request, bytes.array)
        write(answer, message, Double((ContinuousClock.now - begin) / .microseconds(1)) / 1_000)
        return true
    }

    private func write(_ answer: SpamdClientMessage.Answer, _ message: InputMessage, _ elapsed: Double) {
        let output = Output.standard
        guard let verdict = answer.verdict else {
            writeTold(answer, message)
            return
        }
        hasSpam = hasSpam || verdict.isSpam
        let score = "\(TerminalText.escape(verdict.score))/\(TerminalText.escape(verdict.required))"
        switch request.method {
        case .report: output.write(TerminalText.escape(answer.content.text, keepingLines: true))
        case .symbols: output.write(SpamdVisitor.json(answer.content.text, verdict, message, elapsed))
        default:
            if arguments[SpamscoreOptions.check] {
                output.writeLine(score)
            } else {
                output.writeLine("\(score) \(verdict.isSpam ? "spam" : "ham") \(TerminalText.escape(message.file))")
            }
        }
    }

    /// What became of a lesson.
    private func writeTold(_ answer: SpamdClientMessage.Answer, _ message: InputMessage) {
        let isDone = answer.didSet || answer.didRemove
        guard arguments[SpamscoreOptions.json] else {
            Output.standard.writeLine("\(isDone ? "done" : "nothing to do"): \(TerminalText.escape(message.file))")
            return
        }
        var json = JSONWriter()
        json.object {
            $0.field("file", PathText.repaired(message.file))
            $0.field("index", message.index)
            $0.field("changed", isDone)
        }
        Output.standard.write(json.takeLine())
    }

    /// With the keys of a score made here; the protocol tells no more of a test than its name.
    private static func json(
        _ symbols: String, _ verdict: SpamdVerdict, _ message: InputMessage, _ elapsed: Double
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("file", PathText.repaired(message.file))
            $0.field("index", message.index)
            $0.field("score", Double(verdict.score), decimals: 1)
            $0.field("required", Double(verdict.required), decimals: 1)
            $0.field("spam", verdict.isSpam)
            $0.fieldNull("learned")
            $0.array("tests") { json in
                for name in symbols.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                    json.object {
                        $0.field("name", String(name))
                        $0.fieldNull("score")
                        $0.fieldNull("description")
                        $0.fieldNull("area")
                        $0.fieldNull("text")
                    }
                }
            }
            $0.field("unsupported", [])
            $0.field("cut", [])
            $0.field("ms", elapsed, decimals: 1)
        }
        return json.takeLine()
    }

    func report(_ problem: InputProblem) {
        switch problem.kind {
        case .unreadable: hadUnreadable = true
        case .notMessage: hadNoMessage = true
        }
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }
}
