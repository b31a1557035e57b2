import Bytes
import OpenSSL
import SASL

/// The client's side of an SMTP or LMTP session (RFC 5321, RFC 2033), without socket, clock or file: replies come in as
/// bytes, split anywhere; what is to be done comes out as actions.
///
/// The caller asks `next()` for an action, does it, and asks again. After `startTLS` it reports `tlsStarted()`, after
/// `sendMessage` `messageSent()`; at `ready` it calls `begin` with a message or `quit()`; bytes from the server go to
/// `receive`, their absence to `connectionLost`.
package struct ClientSession: Sendable {
    /// What the caller has to do next.
    package enum Action: Equatable, Sendable {
        /// Send these bytes. Concealed ones hold a secret that no transcript may show.
        case write([UInt8], isConcealed: Bool)
        /// Wait for bytes of the server: the answer to this step.
        case receive(ClientStep)
        /// Drop what was read, and shake hands.
        case startTLS
        /// Send the message through a `ClientDataEncoder` of this form, with its end in the last write.
        case sendMessage(ClientMessageForm)
        /// What became of the recipients of the message, in their order.
        case results([ClientResult])
        /// The session waits for a message, or for `quit()`.
        case ready
        /// Close the connection. With a result when the session ended before its time: it stands for every recipient
        /// that has none.
        case close(ClientResult?)
    }

    enum Awaited: Equatable {
        case greeting, ehlo, helo, startTLS, authentication
        case mail
        case recipient(Int)
        case data
        case message
        /// LMTP: the answer after the final dot for one recipient.
        case messageFor(Int)
        /// The answer to a message of no lines, sent because nobody was left to receive the true one.
        case emptyMessage
        case reset, quit
    }

    enum Phase {
        case opening, ready, transaction, sendingMessage, closing, closed
    }

    let configuration: ClientConfiguration
    /// What the server offers; nothing before EHLO.
    package internal(set) var extensions = ClientExtensions()
    /// True once TLS runs.
    package internal(set) var isEncrypted: Bool
    var phase = Phase.opening
    var parser = ReplyParser()
    var awaited: [Awaited] = [.greeting]
    /// Commands of the transaction that were not written yet.
    var commands: [(awaited: Awaited, line: String)] = []
    var output: [UInt8] = []
    var outputIsConcealed = false
    var actions: [Action] = []
    var failure: ClientResult?
    var transaction: TransactionState?
    var transactionCount = 0
    var needsReset = false
    var mechanisms: [SASLClientMechanism] = []
    var authentication: SASLClientExchange?
    /// Why this side has cancelled the authentication.
    var authenticationProblem: String?
    /// What identifies the TLS connection (RFC 5056).
    var bindings: [TLSChannelBinding: [UInt8]] = [:]

    /// A session that waits for the server's greeting.
    package init(_ configuration: ClientConfiguration) {
        self.configuration = configuration
        isEncrypted = configuration.tls == .implicit
    }

    // MARK: - The caller's side

    /// The next thing to do.
    package mutating func next() -> Action {
        if !output.isEmpty {
            defer {
                output = []
                outputIsConcealed = false
            }
            return .write(output, isConcealed: outputIsConcealed)
        }
        if !actions.isEmpty { return actions.removeFirst() }
        if phase == .closed { return .close(failure) }
        if let awaited = awaited.first { return .receive(awaited.step) }
        return .ready
    }

    /// Takes bytes of the server. Bytes after the answer to STARTTLS are dropped: they came in clear (RFC 3207 5).
    package mutating func receive(_ bytes: Span<UInt8>) {
        guard phase != .closed else { return }
        parser.append(bytes)
        while phase != .closed {
            let reply: Reply
            do {
                guard let next = try parser.next() else { return }
                reply = next
            } catch {
                violation("the server does not speak SMTP: \(error)")
                return
            }
            handle(reply)
            if actions.contains(.startTLS) {
                parser = ReplyParser()
                return
            }
        }
    }

    /// The handshake after `startTLS` succeeded: what was learned in clear is forgotten (RFC 3207 4.2).
    package mutating func tlsStarted(bindings: [TLSChannelBinding: [UInt8]] = [:]) {
        isEncrypted = true
        self.bindings = bindings
        extensions = ClientExtensions()
        if configuration.lastStep == .tls {
            stop(Reply(220, nil, "TLS started"))
        } else {
            sendHello()
        }
    }

    /// What identifies a connection whose TLS began with it.
    package mutating func bind(to bindings: [TLSChannelBinding: [UInt8]]) { self.bindings = bindings }

    /// The handshake failed, for `result`'s reason; nobody is left to say QUIT to.
    package mutating func tlsFailed(_ result: ClientResult) {
        close(result)
    }

    /// True while the message may be sent; false once the session has ended under it.
    package var isSendingMessage: Bool { phase == .sendingMessage }

    /// The octets that BDAT announced: exactly so many must follow. Nil when the message goes after DATA.
    package var announcedSize: Int? { phase == .sendingMessage ? transaction?.announcedSize : nil }

    /// The message and its end went out.
    package mutating func messageSent() {
        guard phase == .sendingMessage, let transaction else { return }
        phase = .transaction
        switch configuration.dialect {
        case .smtp: awaited.append(.message)
        case .lmtp: awaited += transaction.accepted.map { .messageFor($0) }
        }
    }

    /// The message cannot be sent as it was announced: it has changed on the way. Nobody takes the rest as commands,
    /// because the connection ends here.
    package mutating func messageBroken() {
        close(
            ClientResult(
                outcome: .temporary, enhanced: "4.3.0", text: "the message changed while it was sent", cause: .message))
    }

    /// The server went away, or said nothing for too long. `how` completes the sentence "the connection ...".
    package mutating func connectionLost(_ how: String) {
        guard phase != .closed else { return }
        if phase == .closing { return close(failure) }
        let step = phase == .sendingMessage ? "while the message was sent" : awaited.first.map { "at \($0.step.name)" }
        var result = ClientResult(
            outcome: .temporary, enhanced: "4.4.2", text: "the connection \(how)", cause: .connection)
        if let step { result.text += " \(step)" }
        if mayHaveMessage {
            result.cause = .answerLost
            result.text += ": the server may have the message"
        }
        close(result)
    }

    /// The message went out whole, and the server was heard on the transaction before.
    private var mayHaveMessage: Bool {
        if case .mail = awaited.first { return false }
        return awaited.contains { awaited in
            switch awaited {
            case .message, .messageFor: true
            default: false
            }
        }
    }

    /// Ends the session as the protocol wants it. Only at `ready`.
    package mutating func quit() {
        guard phase == .ready || phase == .opening else { return }
        phase = .closing
        send("QUIT", awaiting: .quit)
    }

    /// How many of the server's replies were taken so far: a wait for the next one begins when it grows.
    package private(set) var replyCount = 0

    /// True when the server takes no further message on this connection (RFC 9422 MAILMAX).
    package var isExhausted: Bool {
        extensions.transactionLimit.map { transactionCount >= $0 } ?? false
    }

    // MARK: - Replies

    private mutating func handle(_ reply: Reply) {
        guard !awaited.isEmpty else { return handleUnasked(reply) }
        replyCount += 1
        if phase == .closing { return close(failure) }
        if reply.code == 421 { return close(ClientResult(.temporary, reply)) }
        let step = awaited.removeFirst()
        switch step {
        case .greeting: greeted(reply)
        case .ehlo: answeredEHLO(reply)
        case .helo: answeredHELO(reply)
        case .startTLS: answeredSTARTTLS(reply)
        case .authentication: answeredAUTH(reply)
        case .mail, .recipient, .data, .message, .messageFor, .emptyMessage, .reset:
            handleTransaction(reply, to: step)
        case .quit: close(failure)
        }
    }

    /// A server that does not want the rest of a message may say so before its end; any server may say 421.
    private mutating func handleUnasked(_ reply: Reply) {
        switch reply.code / 100 {
        case 4 where phase == .sendingMessage || reply.code == 421, 5 where phase == .sendingMessage:
            close(ClientResult(negative: reply))
        default: violation("the server answered what nobody asked: \(reply.oneLine)")
        }
    }

    // MARK: - Sending and ending

    mutating func send(_ line: String, awaiting awaited: Awaited) {
        output.append(contentsOf: line.utf8)
        output.append(ASCII.cr)
        output.append(ASCII.lf)
        self.awaited.append(awaited)
    }

    /// The session is over for `result`'s reason, but the server still listens: QUIT, then close (RFC 5321 3.1).
    mutating func give(up result: ClientResult) {
        finishTransaction(undecided: result)
        failure = result
        commands = []
        phase = .closing
        send("QUIT", awaiting: .quit)
    }

    /// The session is over, and there is nobody to say QUIT to.
    mutating func close(_ result: ClientResult?) {
        if let result { finishTransaction(undecided: result) }
        failure = result
        awaited = []
        commands = []
        output = []
        phase = .closed
    }

    /// The last step that was asked for is done: its answer stands for all.
    mutating func stop(_ reply: Reply) {
        let result = ClientResult(.accepted, reply)
        if configuration.dropsAfterLastStep || configuration.lastStep == .data {
            close(result)
        } else {
            give(up: result)
        }
    }

    mutating func violation(_ text: String) {
        if phase == .closing { return close(failure) }
        var result = ClientResult(outcome: .temporary, enhanced: "4.5.0", text: text, cause: .protocolViolation)
        if mayHaveMessage {
            result.cause = .answerLost
            result.text += ": the server may have the message"
        }
        close(result)
    }

    /// An answer of a class that has no meaning at this step (RFC 5321 4.3.2).
    mutating func unexpected(_ reply: Reply, at step: ClientStep) {
        violation("the server's answer to \(step.name) makes no sense: \(reply.oneLine)")
    }
}

extension ClientSession.Awaited {
    var step: ClientStep {
        switch self {
        case .greeting: .greeting
        case .ehlo, .helo: .hello
        case .startTLS: .tls
        case .authentication: .authentication
        case .mail: .mail
        case .recipient: .recipient
        case .data: .data
        case .message, .messageFor, .emptyMessage: .message
        case .reset: .reset
        case .quit: .quit
        }
    }
}

extension ClientResult {
    /// The server's own words with the outcome that follows from them.
    init(_ outcome: Outcome, _ reply: Reply, cause: Cause = .reply) {
        self.init(
            outcome: outcome, code: reply.code, enhanced: reply.enhanced.map { "\($0)" }, text: reply.text,
            cause: cause)
    }

    /// A negative answer by its class: 4yz is temporary, everything else permanent.
    init(negative reply: Reply, cause: Cause = .reply) {
        self.init(reply.code / 100 == 4 ? .temporary : .refused, reply, cause: cause)
    }
}
