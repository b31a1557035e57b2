import Bytes

/// A message of a maildrop as the session needs to know it.
package struct MaildropMessage: Equatable, Sendable {
    /// Octets as RETR sends them, without doubled dots.
    package let octets: Int
    /// 1 to 70 characters from 0x21 to 0x7E (RFC 1939 7).
    package let uniqueID: String

    package init(octets: Int, uniqueID: String) {
        self.octets = octets
        self.uniqueID = uniqueID
    }
}

/// A POP3 session as a value: bytes in, answers and steps out (RFC 1939, 2449, 2595, 3206).
///
/// The driver feeds `next` with what came in and does what the step says; answers gather in `output`. Nothing here
/// knows of sockets, clocks or files.
package struct POP3Session: Sendable {
    package struct Configuration: Sendable {
        /// STLS is offered.
        package var offersTLS: Bool
        /// The time stamp of the greeting, with its angle brackets; nil: APOP is not offered.
        package var timestamp: String?
        /// Passwords may be sent on this connection before TLS.
        package var allowsPlaintext: Bool

        package init(offersTLS: Bool = false, timestamp: String? = nil, allowsPlaintext: Bool = true) {
            self.offersTLS = offersTLS
            self.timestamp = timestamp
            self.allowsPlaintext = allowsPlaintext
        }
    }

    /// How a client wants to prove who it is.
    package enum Proof: Equatable, Sendable {
        case password(String)
        /// The digest of APOP, in lower case.
        case apop(digest: String)
    }

    /// Why a login fails.
    package enum LoginFailure: Error, Equatable, Sendable {
        case wrongCredentials
        case inUse
        case temporary
    }

    /// What the driver is to do next.
    package enum Step: Equatable, Sendable {
        /// Send `output`, then wait for more input.
        case needInput
        /// Judge a login and call `answerLogin`.
        case login(user: String, proof: Proof)
        /// Open a message (counted from 0) and call `beginMessage`, then send it by a `MessageEncoder`, with so many
        /// lines of its body.
        case retrieve(Int, bodyLines: Int?)
        /// Remove these messages and call `answerQuit`.
        case remove([Int])
        /// Send `output`, then begin TLS and call `tlsStarted`.
        case startTLS
        /// Send `output`, then close.
        case close
    }

    private enum Phase: Sendable { case command, working, closing }

    let configuration: Configuration
    private var phase = Phase.command
    private var isSkippingLine = false
    /// The name that USER gave.
    var user: String?
    var isTLS: Bool
    /// Nil before the login.
    var maildrop: [MaildropMessage]?
    /// The messages that are marked as deleted.
    var deleted: Set<Int> = []
    private var failures = 0
    /// Answers that wait to be sent.
    package private(set) var output: [UInt8] = []

    private static let lineLimit = 1_024
    private static let failureLimit = 3

    package init(_ configuration: Configuration, isTLS: Bool = false) {
        self.configuration = configuration
        self.isTLS = isTLS
    }

    // MARK: What the driver calls

    /// The greeting; the time stamp stands at its end (RFC 1939 7).
    package mutating func greet() {
        say("+OK Facteur POP3 ready" + (configuration.timestamp.map { " \($0)" } ?? ""))
    }

    package mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    package var isLoggedIn: Bool { maildrop != nil }

    /// How many messages are marked as deleted.
    package var deletedCount: Int { deleted.count }

    /// A last answer, as when the server stops, and the end. Nothing is deleted.
    package mutating func end(with answer: String) {
        say(answer)
        phase = .closing
    }

    /// The outcome of the last `login`.
    package mutating func answerLogin(_ result: Result<[MaildropMessage], LoginFailure>) {
        phase = .command
        user = nil
        switch result {
        case .success(let messages):
            maildrop = messages
            say("+OK \(messages.count) messages (\(messages.reduce(0) { $0 + $1.octets }) octets)")
        case .failure(.wrongCredentials):
            failures += 1
            say("-ERR [AUTH] user name or password is wrong")
            if failures >= POP3Session.failureLimit { phase = .closing }
        case .failure(.inUse): say("-ERR [IN-USE] the mailbox is open in another session")
        case .failure(.temporary): say("-ERR [SYS/TEMP] the mailbox cannot be opened now")
        }
    }

    /// The message of the last `retrieve` is there, or not.
    package mutating func beginMessage(_ index: Int, bodyLines: Int?, isThere: Bool) {
        phase = .command
        guard isThere, let message = maildrop?[index] else { return say("-ERR [SYS/TEMP] the message is gone") }
        say(bodyLines == nil ? "+OK \(message.octets) octets" : "+OK the top of the message follows")
    }

    /// The messages of the last `remove` are removed and synced, but for `failed` of them.
    package mutating func answerQuit(failed: Int) {
        say(failed == 0 ? "+OK goodbye" : "-ERR [SYS/TEMP] \(failed) messages were not removed")
        phase = .closing
    }

    /// TLS is there; what the client said before is forgotten (RFC 2595 4).
    package mutating func tlsStarted() {
        isTLS = true
        user = nil
    }

    /// Reads from `input` up to the next step.
    ///
    /// - Returns: how many bytes were used up, and the step.
    package mutating func next(_ input: Span<UInt8>) -> (consumed: Int, step: Step) {
        var consumed = 0
        while true {
            switch phase {
            case .closing: return (input.count, .close)
            case .working: return (consumed, .needInput)
            case .command: break
            }
            guard let lf = input.firstIndex(of: ASCII.lf, from: consumed) else {
                if input.count - consumed > POP3Session.lineLimit || isSkippingLine {
                    isSkippingLine = true
                    return (input.count, .needInput)
                }
                return (consumed, .needInput)
            }
            let line = input.line(at: consumed)
            let content = input.array(line.content)
            consumed = lf + 1
            if isSkippingLine || content.count > POP3Session.lineLimit {
                isSkippingLine = false
                say("-ERR the line is too long")
            } else if let step = command(content) {
                return (step == .startTLS ? input.count : consumed, step)
            }
        }
    }

    // MARK: What the commands use

    mutating func say(_ line: String) { output += Array(line.utf8) + [ASCII.cr, ASCII.lf] }

    /// The driver has something to do before the next command.
    mutating func work(_ step: Step) -> Step {
        phase = .working
        return step
    }

    mutating func close() -> Step {
        phase = .closing
        return .close
    }
}
