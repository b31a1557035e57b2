import Bytes
import OpenSSL
import SASL

/// The client's side of a POP3 session as a value: bytes in, commands and events out (RFC 1939, 2449, 2595, 3206, 5034).
///
/// The driver sends what `takeOutput` gives, feeds `next` with what came in and does what the event says. The session
/// asks for the capabilities, begins TLS and logs in by itself; from `loggedIn` on, `send` gives commands, any number at
/// once when the server has PIPELINING. Nothing here knows of sockets or clocks.
package struct POP3ClientSession: Sendable {
    package enum TLSPolicy: Equatable, Sendable {
        /// STLS when it is offered.
        case opportunistic
        /// Nothing without STLS.
        case required
        /// The driver begins TLS before the greeting.
        case implicit
        case never
    }

    /// How to log in, when the best way is not to be looked for.
    package enum Method: Equatable, Sendable {
        case mechanism(SASLClientMechanism)
        case apop
        /// USER and PASS.
        case password
    }

    package struct Configuration: Sendable {
        package var tls: TLSPolicy
        package var credentials: SASLCredentials
        /// Nil: the best one that the server offers.
        package var method: Method?
        /// The connection does not leave the machine: a password may be shown on it.
        package var isLocal: Bool

        package init(
            tls: TLSPolicy = .opportunistic, credentials: SASLCredentials, method: Method? = nil, isLocal: Bool = false
        ) {
            self.tls = tls
            self.credentials = credentials
            self.method = method
            self.isLocal = isLocal
        }
    }

    /// What is sent after the login. Messages are counted from 1.
    package enum Command: Equatable, Sendable {
        case status
        case sizes
        case uniqueIDs
        case retrieve(Int)
        case top(Int, lines: Int)
        case delete(Int)
        case noOperation
        case quit

        var text: String {
            switch self {
            case .status: "STAT"
            case .sizes: "LIST"
            case .uniqueIDs: "UIDL"
            case .retrieve(let number): "RETR \(number)"
            case .top(let number, let lines): "TOP \(number) \(lines)"
            case .delete(let number): "DELE \(number)"
            case .noOperation: "NOOP"
            case .quit: "QUIT"
            }
        }
    }

    package enum Event: Equatable, Sendable {
        /// Send the output, then wait for more input.
        case needInput
        /// Send the output, then begin TLS and call `tlsStarted`. Nothing that came before is of use.
        case startTLS
        case loggedIn
        /// The first line of the answer to a command; of one that succeeds and has more lines, these follow up to `end`.
        case reply(Command, POP3Reply)
        /// A line of the answer to LIST or UIDL: the message's number, and its size or id.
        case entry(Int, [UInt8])
        /// More of a message is in `content`.
        case content
        /// The answer to the command is complete; what is left of a message is in `content`.
        case end(Command)
    }

    enum Phase: Equatable, Sendable { case greeting, capabilities, startingTLS, login, late, ready }

    /// What the next bytes are.
    private enum Reading: Sendable {
        case reply
        case capabilities
        case listing(Command)
        case message(Command, MessageDecoder)
    }

    let configuration: Configuration
    var phase = Phase.greeting
    private var reading = Reading.reply
    /// Commands that wait for their answers.
    private var waiting: [Command] = []
    private var answered = 0
    package private(set) var isTLS: Bool
    package private(set) var capabilities = POP3Capabilities()
    var login = LoginState()
    private var endsLinesWithLF = false
    /// Octets to be sent.
    private var output: [UInt8] = []
    private var content: [UInt8] = []

    /// RFC 2449 4 lets an answer have 512 octets; challenges of SASL are longer.
    private static let lineLimit = 65_536

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        isTLS = configuration.tls == .implicit
    }

    // MARK: What the driver calls

    package mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// What has come of the message since it was last asked for, with LF line ends.
    package mutating func takeContent(_ body: (Span<UInt8>) throws -> Void) rethrows {
        try body(content.span)
        content.removeAll(keepingCapacity: true)
    }

    /// How many answers are waited for.
    package var pendingCount: Int { waiting.count - answered }

    /// Whether commands may be sent before the ones before them are answered (RFC 2449 6.6).
    package var canPipeline: Bool { capabilities.has("PIPELINING") }

    /// Sends a command; only after `loggedIn`.
    package mutating func send(_ command: Command) {
        say(command.text)
        waiting.append(command)
    }

    /// TLS is there. What the server said before is forgotten (RFC 2595 4); `bindings` identify the connection.
    package mutating func tlsStarted(bindings: [TLSChannelBinding: [UInt8]]) {
        isTLS = true
        login.bindings = bindings
        guard phase == .startingTLS else { return }
        login.timestamp = nil
        askCapabilities()
    }

    /// Reads from `input` up to the next event.
    ///
    /// - Returns: how many bytes were used up, and the event.
    /// - Throws: what ends the session.
    package mutating func next(_ input: Span<UInt8>) throws(POP3ClientFailure) -> (consumed: Int, event: Event) {
        var consumed = 0
        while true {
            if case .message(let command, var decoder) = reading {
                consumed += decoder.decode(input.extracting(consumed..<input.count), into: &content)
                if decoder.isComplete {
                    reading = .reply
                    return (consumed, .end(command))
                }
                reading = .message(command, decoder)
                return (consumed, content.isEmpty ? .needInput : .content)
            }
            guard let lf = input.firstIndex(of: ASCII.lf, from: consumed), lf - consumed <= Self.lineLimit else {
                if input.count - consumed > Self.lineLimit {
                    throw POP3ClientFailure(.violation, "the server sends a line without end")
                }
                return (consumed, .needInput)
            }
            let hasCR = lf > consumed && input[lf - 1] == ASCII.cr
            let line = input.array(consumed..<(hasCR ? lf - 1 : lf))
            consumed = lf + 1
            if phase == .greeting { endsLinesWithLF = !hasCR }
            if let event = try take(line) { return (event == .startTLS ? input.count : consumed, event) }
        }
    }

    private mutating func take(_ line: [UInt8]) throws(POP3ClientFailure) -> Event? {
        switch reading {
        case .capabilities:
            guard line == [ASCII.dot] else {
                capabilities.add(line.first == ASCII.dot ? Array(line.dropFirst()) : line)
                return nil
            }
            reading = .reply
            return try capabilitiesEnded()
        case .listing(let command):
            guard line != [ASCII.dot] else {
                reading = .reply
                return .end(command)
            }
            let words = line.split(separator: ASCII.space, omittingEmptySubsequences: true)
            // A message without an id is one that cannot be known again, and no more.
            guard let number = words.first?.decimalValue, words.count >= 2 || command == .uniqueIDs else {
                throw POP3ClientFailure(
                    .violation, "the answer to \(command.text) has a line that is none of a listing")
            }
            return .entry(number, words.count >= 2 ? Array(words[1]) : [])
        case .reply, .message:
            if phase == .ready { return try reply(line) }
            return try opening(line)
        }
    }

    /// The answer to the command that waits longest.
    private mutating func reply(_ line: [UInt8]) throws(POP3ClientFailure) -> Event {
        guard answered < waiting.count else {
            throw POP3ClientFailure(.violation, "the server says what was not asked: \(POP3ClientFailure.quote(line))")
        }
        let command = waiting[answered]
        answered += 1
        if answered == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            answered = 0
        } else if answered >= 1_024 {
            waiting.removeFirst(answered)
            answered = 0
        }
        guard let reply = POP3Reply(line) else { throw .noReply(line, to: command.text) }
        if reply.isPositive {
            switch command {
            case .sizes, .uniqueIDs: reading = .listing(command)
            case .retrieve, .top: reading = .message(command, MessageDecoder(endsLinesWithLF: endsLinesWithLF))
            default: break
            }
        }
        return .reply(command, reply)
    }

    // MARK: Before the login

    private mutating func opening(_ line: [UInt8]) throws(POP3ClientFailure) -> Event? {
        switch phase {
        case .greeting:
            guard let reply = POP3Reply(line) else {
                throw POP3ClientFailure(.violation, "this is no POP3 server: it says \(POP3ClientFailure.quote(line))")
            }
            guard reply.isPositive else { throw .refused(reply, "the connection") }
            login.timestamp = APOP.timestamp(inGreeting: line)
            askCapabilities()
            return nil
        case .capabilities, .late:
            guard let reply = POP3Reply(line) else { throw .noReply(line, to: "CAPA") }
            // A server without CAPA has no capabilities that need asking for.
            guard reply.isPositive else { return try capabilitiesEnded() }
            reading = .capabilities
            return nil
        case .startingTLS:
            guard let reply = POP3Reply(line) else { throw .noReply(line, to: "STLS") }
            guard reply.isPositive else { throw .refused(reply, "STLS") }
            return .startTLS
        case .login: return try continueLogin(line)
        case .ready: return nil
        }
    }

    private mutating func askCapabilities() {
        capabilities = POP3Capabilities()
        phase = .capabilities
        say("CAPA")
    }

    private mutating func capabilitiesEnded() throws(POP3ClientFailure) -> Event? {
        if phase == .late {
            phase = .ready
            return .loggedIn
        }
        let mustTry = configuration.tls == .required && !capabilities.areKnown
        if !isTLS, configuration.tls != .never, capabilities.has("STLS") || mustTry {
            phase = .startingTLS
            say("STLS")
            return nil
        }
        if !isTLS, configuration.tls == .required {
            throw POP3ClientFailure(.insecure, "the server does not offer STLS")
        }
        try beginLogin()
        return nil
    }

    /// The login has succeeded. Some servers tell only now that they take commands ahead.
    mutating func loginEnded() -> Event? {
        guard capabilities.areKnown, !canPipeline else {
            phase = .ready
            return .loggedIn
        }
        capabilities = POP3Capabilities()
        phase = .late
        say("CAPA")
        return nil
    }

    mutating func say(_ line: String) { say(Array(line.utf8)) }

    mutating func say(_ line: [UInt8]) {
        output += line
        output.append(ASCII.cr)
        output.append(ASCII.lf)
    }
}

/// Why a session cannot go on.
package struct POP3ClientFailure: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// The server does not take the user's name and secret.
        case credentials
        /// Not now: another session has the mailbox, a login came too soon, the server has trouble.
        case temporary
        /// The server says no for good.
        case permanent
        /// The server does not speak POP3 as it is written.
        case violation
        /// It cannot be done as safely as was asked for.
        case insecure
    }

    package let kind: Kind
    package let text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// What a negative answer means, by its code (RFC 2449 8, RFC 3206). `what` was refused.
    package static func refused(_ reply: POP3Reply, _ what: String, usually kind: Kind = .temporary) -> Self {
        let said = reply.text.isEmpty ? "" : ": the server says: \(reply.text.prefix(200))"
        if reply.hasCode("AUTH") { return Self(.credentials, "\(what) is refused\(said)") }
        if reply.hasCode("IN-USE") { return Self(.temporary, "the mailbox is open in another session\(said)") }
        if reply.hasCode("LOGIN-DELAY") { return Self(.temporary, "the last login was too short ago\(said)") }
        if reply.code == "SYS/PERM" { return Self(.permanent, "\(what) is refused for good\(said)") }
        return Self(reply.hasCode("SYS") ? .temporary : kind, "\(what) is refused\(said)")
    }

    static func noReply(_ line: [UInt8], to command: String) -> Self {
        Self(.violation, "the answer to \(command) is neither +OK nor -ERR but \(quote(line))")
    }

    static func quote(_ line: [UInt8]) -> String { "\"\(line.prefix(80).text)\"" }
}
