import Bytes

/// The server's side of an SMTP session as a value: bytes in, replies and steps out (RFC 5321).
///
/// The driver feeds `next` with what came in and does what the step says; replies gather in `output`, so that those of
/// a pipeline go out in one write (RFC 2920). Nothing here knows of sockets, clocks or files.
package struct ServerSession: Sendable {
    package struct Configuration: Sendable {
        /// The name in the greeting and in replies.
        package var hostName: String
        /// The largest message in bytes.
        package var maximumSize: Int
        package var maximumRecipients: Int
        /// STARTTLS is offered.
        package var offersTLS: Bool
        /// Mail is taken over TLS only.
        package var requiresTLS: Bool

        package init(
            hostName: String, maximumSize: Int = 50 << 20, maximumRecipients: Int = 1_000, offersTLS: Bool = false,
            requiresTLS: Bool = false
        ) {
            self.hostName = hostName
            self.maximumSize = maximumSize
            self.maximumRecipients = maximumRecipients
            self.offersTLS = offersTLS
            self.requiresTLS = requiresTLS
        }
    }

    /// What the driver is to do next.
    package enum Step: Equatable, Sendable {
        /// Send `output`, then wait for more input.
        case needInput
        /// Judge a recipient and call `answerRecipient`.
        case checkRecipient(Path)
        /// A message begins; `output` holds the 354.
        case beginData(Envelope)
        /// More content of the message, with LF line ends and without the transparency dots.
        case data([UInt8])
        /// The message is whole: store it and call `answerData`.
        case endData
        /// The message will be refused by the session itself: drop what is there of it.
        case abandonData
        /// Send `output`, then begin TLS and call `tlsStarted`.
        case startTLS
        /// Send `output`, then close.
        case close
    }

    private enum Phase: Sendable {
        case command, checkingRecipient(Path), data, answeringData, closing
    }

    private let configuration: Configuration
    private var phase = Phase.command
    private var envelope: Envelope?
    private var decoder = DataDecoder()
    private var dataSize = 0
    private var isTooLarge = false
    /// Commands in a row that made no sense.
    var mistakes = 0
    /// A line longer than the limit is being skipped to its end.
    private var isSkippingLine = false
    /// Content that came with the end, to be handed out at `endData`.
    private var lastPiece: [UInt8]?

    /// The client's name as HELO or EHLO gave it; nil before.
    package private(set) var clientName: String?
    /// The greeting was EHLO.
    package private(set) var isExtended = false
    package private(set) var isTLS: Bool
    /// Replies that wait to be sent.
    package private(set) var output: [UInt8] = []

    /// Longer than the 512 octets of RFC 5321 4.5.3.1.4, as extensions ask for.
    private static let lineLimit = 4_096
    private static let mistakeLimit = 20
    private static let dataPiece = 65_536

    package init(_ configuration: Configuration, isTLS: Bool = false) {
        self.configuration = configuration
        self.isTLS = isTLS
    }

    // MARK: What the driver calls

    /// The opening message (RFC 5321 3.1).
    package mutating func greet() { say(Reply(220, nil, "\(configuration.hostName) ESMTP Facteur")) }

    /// Takes out the replies to be sent.
    package mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// The phase in which nothing is lost when the server breaks the session off.
    package var isBetweenCommands: Bool {
        if case .command = phase { true } else { false }
    }

    /// Adds a last reply, as when the server is stopping, and ends the session.
    package mutating func end(with reply: Reply) {
        say(reply)
        phase = .closing
    }

    /// The verdict on the recipient of the last `checkRecipient`: nil accepts it.
    package mutating func answerRecipient(_ refusal: Reply?) {
        guard case .checkingRecipient(let path) = phase else { return }
        phase = .command
        if let refusal {
            say(refusal)
        } else {
            envelope?.recipients.append(path)
            say(Reply(250, "2.1.5", "recipient ok"))
        }
    }

    /// The verdict on the message of the last `endData`.
    package mutating func answerData(_ reply: Reply) {
        guard case .answeringData = phase else { return }
        phase = .command
        envelope = nil
        say(reply)
    }

    /// TLS is there: the client knows nothing and is known by nothing (RFC 3207 4.2).
    package mutating func tlsStarted() {
        isTLS = true
        clientName = nil
        isExtended = false
        envelope = nil
        mistakes = 0
    }

    /// Reads from `input` up to the next step.
    ///
    /// - Returns: how many bytes were used up, and the step.
    package mutating func next(_ input: Span<UInt8>) -> (consumed: Int, step: Step) {
        var consumed = 0
        while true {
            let rest = input.extracting(consumed..<input.count)
            switch phase {
            case .closing: return (input.count, .close)
            case .checkingRecipient, .answeringData: return (consumed, .needInput)
            case .data:
                let (count, step) = readData(rest)
                consumed += count
                if let step { return (consumed, step) }
                return (consumed, .needInput)
            case .command:
                guard let (line, count) = takeLine(rest) else {
                    // An endless line is dropped as it comes, so that it never grows memory.
                    if rest.count > ServerSession.lineLimit || isSkippingLine {
                        isSkippingLine = true
                        let keepsCR = !rest.isEmpty && rest[rest.count - 1] == ASCII.cr
                        return (input.count - (keepsCR ? 1 : 0), .needInput)
                    }
                    return (consumed, .needInput)
                }
                consumed += count
                if isSkippingLine || line.count > ServerSession.lineLimit {
                    isSkippingLine = false
                    if mistake(.lineTooLong) != nil { return (consumed, .close) }
                } else if let step = command(line) {
                    return (step == .startTLS ? input.count : consumed, step)
                }
            }
        }
    }

    /// A line up to CRLF, the only thing that ends one (RFC 5321 2.3.8).
    private func takeLine(_ input: Span<UInt8>) -> (line: [UInt8], count: Int)? {
        var start = 0
        while let lf = input.firstIndex(of: ASCII.lf, from: start) {
            if lf > 0, input[lf - 1] == ASCII.cr { return (input.array(0..<(lf - 1)), lf + 1) }
            start = lf + 1
        }
        return nil
    }

    // MARK: Data

    private mutating func readData(_ input: Span<UInt8>) -> (consumed: Int, step: Step?) {
        var content: [UInt8] = []
        let piece = input.extracting(0..<min(input.count, ServerSession.dataPiece))
        let (count, isAtEnd) = decoder.decode(piece, into: &content)
        dataSize += content.count
        if dataSize > configuration.maximumSize, !isTooLarge {
            isTooLarge = true
            return isAtEnd ? (count, endData(content)) : (count, .abandonData)
        }
        if isTooLarge { content = [] }
        if isAtEnd {
            return (count, endData(content))
        }
        return (count, content.isEmpty ? (count < input.count ? .data([]) : nil) : .data(content))
    }

    private mutating func endData(_ content: [UInt8]) -> Step {
        phase = .answeringData
        if isTooLarge {
            answerData(Reply(552, "5.3.4", "the message is larger than \(configuration.maximumSize) bytes"))
            return .abandonData
        }
        if decoder.hasBareCR {
            answerData(Reply(550, "5.6.0", "a CR without LF is not allowed (RFC 5321 2.3.8)"))
            return .abandonData
        }
        lastPiece = content
        return .endData
    }

    /// The content that came in the last piece, right before the end. Taken once, at `endData`.
    package mutating func takeLastPiece() -> [UInt8] {
        defer { lastPiece = nil }
        return lastPiece ?? []
    }

    // MARK: What the commands use

    var hostName: String { configuration.hostName }
    var maximumSize: Int { configuration.maximumSize }
    var maximumRecipients: Int { configuration.maximumRecipients }
    var offersTLS: Bool { configuration.offersTLS }
    var requiresTLS: Bool { configuration.requiresTLS }
    var isInTransaction: Bool { envelope != nil }
    var recipientCount: Int { envelope?.recipients.count ?? 0 }

    mutating func say(_ reply: Reply) { output += reply.bytes }

    /// An answer to a command that made sense.
    mutating func answer(_ reply: Reply) -> Step? {
        mistakes = 0
        say(reply)
        return nil
    }

    /// An answer to one that did not; after many in a row the session ends.
    @discardableResult
    mutating func mistake(_ reply: Reply) -> Step? {
        mistakes += 1
        say(reply)
        guard mistakes >= ServerSession.mistakeLimit else { return nil }
        end(with: Reply(421, "4.7.0", "\(hostName): too many errors"))
        return .close
    }

    mutating func greeted(_ name: String, extended: Bool) {
        clientName = name
        isExtended = extended
        envelope = nil
    }

    mutating func reset() { envelope = nil }
    mutating func begin(_ envelope: Envelope) { self.envelope = envelope }

    mutating func check(_ path: Path) -> Step {
        phase = .checkingRecipient(path)
        return .checkRecipient(path)
    }

    mutating func beginData() -> Step? {
        guard let envelope else { return mistake(.badSequence) }
        mistakes = 0
        phase = .data
        decoder = DataDecoder()
        dataSize = 0
        isTooLarge = false
        say(Reply(354, nil, "end data with <CRLF>.<CRLF>"))
        return .beginData(envelope)
    }
}
