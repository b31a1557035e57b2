import Bytes
import CommandLineTool
import DNS
import SenderAuthentication
import Unix

/// `--spf-test`: one SPF check with its trace, or one a line of input.
struct SPFTest {
    private let settings: LookupSettings
    private let mailFrom: String?
    private let helo: String?
    private let isJSON: Bool
    private let isQuiet: Bool
    private let palette: Palette
    private let window: Int
    private let timeLimit: Duration

    /// RFC 7208 4.6.4: a check takes 20 seconds at most.
    private static let defaultTimeLimit = Duration.seconds(20)

    init(_ arguments: Arguments) throws(ToolFailure) {
        settings = try LookupSettings(arguments)
        mailFrom = arguments[MXOptions.mailFrom]
        helo = arguments[MXOptions.helo]
        isJSON = arguments[MXOptions.json]
        isQuiet = arguments[MXOptions.quiet]
        palette = Palette(arguments[MXOptions.color])
        window = arguments[MXOptions.window]
        timeLimit = min(arguments[MXOptions.deadline] ?? SPFTest.defaultTimeLimit, SPFTest.defaultTimeLimit)
    }

    func run(_ client: String) throws -> ExitCode {
        if client == "-" {
            guard settings.names.isEmpty, mailFrom == nil, helo == nil else {
                throw ToolFailure(.usage, "--spf-test -: client, sender and HELO come from standard input")
            }
            return try EventLoop.run { _ in
                await SPFTestBatch(settings.makeResolver(since: .now), window: window, timeLimit: timeLimit).run()
            }
        }
        let request = try request(client)
        let outcome = try EventLoop.run { _ in
            let start = ContinuousClock.now
            return await SPFEvaluator(settings.makeResolver(since: start)).check(request, deadline: start + timeLimit)
        }
        if isJSON {
            if !isQuiet { Output.standard.write(SPFTest.line(outcome, withTrace: true)) }
        } else if !isQuiet {
            SPFTestReport(palette).write(outcome, request.address)
        }
        return outcome.result.exitCode
    }

    private func request(_ client: String) throws(ToolFailure) -> SPFRequest {
        guard let address = IPAddress(client) else {
            throw ToolFailure(.usage, "--spf-test \(client): is not an address: write 192.0.2.7 or 2001:db8::7")
        }
        guard settings.names.count <= 1 else { throw ToolFailure(.usage, "--spf-test: takes one domain") }
        let domain = settings.names.first
        guard domain != nil || mailFrom?.isEmpty == false || helo != nil else {
            throw ToolFailure(.usage, "--spf-test: whose policy? give --mail-from, --helo or a domain")
        }
        return SPFRequest(address: address, mailFrom: mailFrom.map(SPFTest.path), helo: helo, domain: domain)
    }

    /// An address without its angle brackets.
    static func path(_ text: String) -> String {
        text.hasPrefix("<") && text.hasSuffix(">") ? String(text.dropFirst().dropLast()) : text
    }

    static func line(_ outcome: SPFOutcome, withTrace: Bool) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in json.object("spf") { outcome.write(&$0, withTrace: withTrace) } }
        return json.takeLine()
    }
}

extension SPFResult {
    var exitCode: ExitCode {
        switch self {
        case .none, .neutral, .pass: .ok
        case .fail, .softfail, .permerror: .negative
        case .temperror: .temporaryFailure
        }
    }
}
