import Bytes
import SASL

/// A POP3 session as a value: bytes in, answers and steps out (RFC 1939, 2449, 2595, 3206, 5034, 6856).
///
/// The driver feeds `next` with what came in and does what the step says; answers gather in `output`. Nothing here
/// knows of sockets, clocks or files.
package struct POP3Session: Sendable {
    package struct Configuration: Sendable {
        /// How long messages stay on the server (RFC 2449 6.7).
        package enum Expiry: Equatable, Sendable {
            case never
            /// 0: what was retrieved is removed at QUIT.
            case days(Int)
        }

        /// STLS is offered.
        package var offersTLS: Bool
        /// The time stamp of the greeting, with its angle brackets; nil: APOP is not offered.
        package var timestamp: String?
        /// Passwords may be sent on this connection before TLS.
        package var allowsPlaintext: Bool
        /// Nobody logs in before TLS, in whatever way.
        package var requiresTLS: Bool
        /// The mechanisms that the accounts can be used with.
        package var mechanisms: [SASLMechanism]
        /// Seconds from one login of a user to the next.
        package var loginDelay: Int
        package var expiry: Expiry
        /// Nothing can be deleted.
        package var isReadOnly: Bool

        package init(
            offersTLS: Bool = false, timestamp: String? = nil, allowsPlaintext: Bool = true,
            requiresTLS: Bool = false, mechanisms: [SASLMechanism] = [], loginDelay: Int = 0,
            expiry: Expiry = .never, isReadOnly: Bool = false
        ) {
            self.offersTLS = offersTLS
            self.timestamp = timestamp
            self.allowsPlaintext = allowsPlaintext
            self.requiresTLS = requiresTLS
            self.mechanisms = mechanisms
            self.loginDelay = loginDelay
            self.expiry = expiry
            self.isReadOnly = isReadOnly
        }
    }

    /// How a client wants to prove who it is, SASL aside.
    package enum Proof: Equatable, Sendable {
        case password([UInt8])
        /// The digest of APOP, in lower case.
        case apop(digest: String)
    }

    /// Why a login fails.
    package enum LoginFailure: Error, Equatable, Sendable {
        case wrongCredentials
        /// The mechanism's messages were not what it wants; what was wrong, in words.
        case malformed(String)
        case cancelled
        case inUse
        /// The last login of the user was less than so many seconds ago.
        case tooSoon(Int)
        case tooManyAttempts
        case temporary
        case permanent
    }

    /// What the driver is to do next.
    package enum Step: Equatable, Sendable {
        /// Send `output`, then wait for more input.
        case needInput
        /// Send `output` before more is added to it.
        case send
        /// Judge a login and call `answerLogin`.
        case login(user: String, proof: Proof)
        /// Begin SASL with the initial response of the command (still encoded) and call `challenge` or `answerLogin`.
        case authenticate(SASLMechanism, initialResponse: [UInt8]?)
        /// Go on with SASL: a line of the client, without its line end.
        case authenticationResponse([UInt8])
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

    enum Phase: Equatable, Sendable { case command, working, authenticating, closing }
    /// A listing that is being sent.
    struct Listing: Equatable, Sendable {
        let isOfIDs: Bool
        var next = 0
    }

    let configuration: Configuration
    var phase = Phase.command
    private var isSkippingLine = false
    var listing: Listing?
    /// The name that USER gave.
    var user: String?
    package private(set) var isTLS: Bool
    /// Nil before the login.
    var maildrop: MaildropTable?
    /// The messages that are marked as deleted, and their octets.
    var deleted: Set<Int> = []
    var deletedOctets = 0
    /// The messages that were sent whole, when they expire at once.
    var retrieved: Set<Int> = []
    private var failures = 0
    /// Answers that wait to be sent.
    package internal(set) var output: [UInt8] = []

    /// RFC 2449 4 guarantees 255 octets, with the line end.
    private static let lineLimit = 1_024
    /// RFC 5034 4: initial responses and answers of SASL.
    private static let authenticationLineLimit = 65_536
    private static let failureLimit = 3
    static let outputLimit = 32_768

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

    /// A last answer, as when the server stops, and the end. Nothing is deleted.
    package mutating func end(with answer: String) {
        listing = nil
        say(answer)
        phase = .closing
    }

    /// The server's challenge in SASL, base64; the client's next line comes as `authenticationResponse`.
    package mutating func challenge(_ text: String) {
        say("+ \(text)")
        phase = .authenticating
    }

    /// The outcome of the last `login`, or of SASL.
    package mutating func answerLogin(_ result: Result<MaildropTable, LoginFailure>) {
        phase = .command
        user = nil
        switch result {
        case .success(let table):
            maildrop = table
            say("+OK \(table.count) messages (\(table.totalOctets) octets)")
        case .failure(let failure):
            say("-ERR \(Self.text(of: failure))")
            switch failure {
            case .wrongCredentials, .malformed, .tooManyAttempts:
                failures += 1
                if failures >= POP3Session.failureLimit { phase = .closing }
            default: break
            }
        }
    }

    private static func text(of failure: LoginFailure) -> String {
        switch failure {
        case .wrongCredentials: "[AUTH] user name or password is wrong"
        case .malformed(let problem): problem
        case .cancelled: "cancelled"
        case .inUse: "[IN-USE] the mailbox is open in another session"
        case .tooSoon(let seconds): "[LOGIN-DELAY] one login in \(seconds) seconds is allowed"
        case .tooManyAttempts: "[SYS/TEMP] too many wrong passwords, try again later"
        case .temporary: "[SYS/TEMP] the mailbox cannot be opened now"
        case .permanent: "[SYS/PERM] the mailbox cannot be opened"
        }
    }

    /// The message of the last `retrieve` is there with so many octets, or not (nil).
    package mutating func beginMessage(_ index: Int, bodyLines: Int?, octets: Int?) {
        phase = .command
        guard let octets else { return say("-ERR [SYS/TEMP] the message is gone") }
        say(bodyLines == nil ? "+OK \(octets) octets" : "+OK the top of the message follows")
        if bodyLines == nil, configuration.expiry == .days(0) { retrieved.insert(index) }
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
            if listing != nil { continueListing() }
            switch phase {
            case .closing: return (input.count, .close)
            case .working: return (consumed, .needInput)
            case .command, .authenticating: break
            }
            if output.count >= POP3Session.outputLimit { return (consumed, .send) }
            guard let lf = input.firstIndex(of: ASCII.lf, from: consumed) else {
                if isSkippingLine || isTooLong(input, consumed..<input.count) {
                    isSkippingLine = true
                    return (input.count, .needInput)
                }
                return (consumed, .needInput)
            }
            let start = consumed
            let end = lf > start && input[lf - 1] == ASCII.cr ? lf - 1 : lf
            consumed = lf + 1
            if isSkippingLine || isTooLong(input, start..<end) {
                isSkippingLine = false
                phase = .command
                say("-ERR the line is too long")
            } else if phase == .authenticating {
                return (consumed, work(.authenticationResponse(input.array(start..<end))))
            } else if let step = command(input.array(start..<end)) {
                return (step == .startTLS ? input.count : consumed, step)
            }
        }
    }

    private func isTooLong(_ input: Span<UInt8>, _ line: Range<Int>) -> Bool {
        guard line.count > POP3Session.lineLimit else { return false }
        let isAuthentication =
            phase == .authenticating || input.array(line.lowerBound..<line.lowerBound + 5).equalsIgnoringCase("AUTH ")
        return !isAuthentication || line.count > POP3Session.authenticationLineLimit
    }

    // MARK: What the commands use

    mutating func say(_ line: String) {
        output.append(contentsOf: line.utf8)
        output.append(ASCII.cr)
        output.append(ASCII.lf)
    }

    /// Says no, and goes on with the next command.
    mutating func refuse(_ reason: String) -> Step? {
        say("-ERR \(reason)")
        return nil
    }

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
