import Bytes
import CommandLineTool
import FilterProtocols
import Glibc
import Mailboxes
import Network
import OpenSSL
import Unix

/// --connect: asks a server of the spamd protocol, as spamc does.
enum SpamdClient {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let options = SpamscoreOptions.self
        let text = arguments[options.connect] ?? ""
        guard let address = ListenAddress(text) else {
            throw ToolFailure(.usage, "--connect \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
        }
        if arguments[options.filter] { return try filter(arguments, address) }
        let visitor = SpamdVisitor(arguments, address)
        try Inputs.of(arguments).read(visitor)
        return visitor.exitCode
    }

    private static func filter(_ arguments: Arguments, _ address: ListenAddress) throws -> ExitCode {
        let message = try FileDescriptor(owning: dup(0), subject: "standard input").readAll()
        var request = SpamdRequest(.process)
        request.message = message
        request.user = arguments[SpamscoreOptions.user]
        do throws(ToolFailure) {
            let answer = try ask(request, address)
            guard answer.code == 0 else { throw refusal(answer, address) }
            Output.standard.write(answer.content)
            let isSpam = answer.verdict?.isSpam ?? false
            return arguments[SpamscoreOptions.exitCode] && isSpam ? .negative : .ok
        } catch {
            return Filter.passUnmarked(message, error.message, arguments)
        }
    }

    static func refusal(_ answer: SpamdClientMessage.Answer, _ address: ListenAddress) -> ToolFailure {
        ToolFailure(
            ExitCode(Int32(clamping: min(max(answer.code, 1), 255))),
            "\(address.address): the server says: \(TerminalText.escape(answer.text))")
    }

    /// One request on a connection of its own.
    static func ask(
        _ request: SpamdRequest, _ address: ListenAddress
    ) throws(ToolFailure) -> SpamdClientMessage.Answer {
        let bytes: [UInt8]
        do {
            bytes = try EventLoop.run { _ in try await exchange(request, address) }
        } catch {
            let reason = (error as? SystemError)?.reason ?? "\(error)"
            throw ToolFailure(.temporaryFailure, "\(address.address): \(reason)")
        }
        guard let answer = SpamdClientMessage.answer(bytes) else {
            throw ToolFailure(.protocolError, "\(address.address): no answer of the spamd protocol, or one cut short")
        }
        return answer
    }

    private static func exchange(
        _ request: SpamdRequest, _ address: ListenAddress
    ) async throws(ConnectionError) -> [UInt8] {
        let connection = try await Connection.connect(to: address.address, timeout: .seconds(30))
        defer { connection.close() }
        if address.isTLS {
            let context: TLSContext
            do throws(OpenSSLError) {
                context = try TLSContext(verifying: false)
            } catch {
                throw .tls("\(error)")
            }
            try await connection.startTLS(client: context, serverName: "localhost", timeout: .seconds(30))
        }
        connection.write(SpamdClientMessage.request(request))
        try await connection.flush(timeout: .seconds(60))
        var answer: [UInt8] = []
        while answer.count < 256 << 20 {
            let isOpen = try await connection.receive(timeout: .seconds(300))
            answer += connection.input.takeAll()
            if !isOpen { break }
        }
        return answer
    }
}

/// Asks about each message.
private final class SpamdVisitor: MessageVisitor {
    private let arguments: Arguments
    private let address: ListenAddress
    private let method: SpamdMethod
    private var hasSpam = false
    private var hadUnreadable = false
    private var hadNoMessage = false

    init(_ arguments: Arguments, _ address: ListenAddress) {
        let options = SpamscoreOptions.self
        self.arguments = arguments
        self.address = address
        if arguments.isGiven(options.learn) || arguments[options.forget] {
            method = .tell
        } else {
            method = arguments[options.explain] ? .report : arguments[options.json] ? .symbols : .check
        }
    }

    var exitCode: ExitCode {
        if hadUnreadable { return .noInput }
        if hadNoMessage { return .dataError }
        let options = SpamscoreOptions.self
        return hasSpam && (arguments[options.check] || arguments[options.exitCode]) ? .negative : .ok
    }

    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        var request = SpamdRequest(method)
        request.message = bytes.array
        request.user = arguments[SpamscoreOptions.user]
        if method == .tell {
            request.telling.setsLocal = !arguments[SpamscoreOptions.forget]
            request.telling.removesLocal = arguments[SpamscoreOptions.forget]
            if request.telling.setsLocal {
                request.telling.kind = arguments[SpamscoreOptions.learn] == "spam" ? .spam : .ham
            }
        }
        let answer = try SpamdClient.ask(request, address)
        guard answer.code == 0 else { throw SpamdClient.refusal(answer, address) }
        write(answer, message.file)
        return true
    }

    private func write(_ answer: SpamdClientMessage.Answer, _ file: String) {
        let output = Output.standard
        if method == .tell {
            let isDone = answer.didSet || answer.didRemove
            output.writeLine("\(isDone ? "done" : "nothing to do"): \(TerminalText.escape(file))")
            return
        }
        guard let verdict = answer.verdict else { return }
        hasSpam = hasSpam || verdict.isSpam
        let score = "\(TerminalText.escape(verdict.score))/\(TerminalText.escape(verdict.required))"
        switch method {
        case .report: output.write(TerminalText.escape(answer.content.text, keepingLines: true))
        case .symbols:
            var json = JSONWriter()
            json.object {
                $0.field("file", PathText.repaired(file))
                $0.field("score", Double(verdict.score), decimals: 1)
                $0.field("required", Double(verdict.required), decimals: 1)
                $0.field("spam", verdict.isSpam)
                $0.array("tests") { json in
                    for name in answer.content.text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                        json.object { $0.field("name", String(name)) }
                    }
                }
            }
            output.write(json.takeLine())
        default:
            if arguments[SpamscoreOptions.check] {
                output.writeLine(score)
            } else {
                output.writeLine("\(score) \(verdict.isSpam ? "spam" : "ham") \(TerminalText.escape(file))")
            }
        }
    }

    func report(_ problem: InputProblem) {
        switch problem.kind {
        case .unreadable: hadUnreadable = true
        case .notMessage: hadNoMessage = true
        }
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }
}
