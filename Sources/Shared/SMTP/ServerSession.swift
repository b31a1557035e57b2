import Bytes

/// The server's side of an SMTP or LMTP session as a value: bytes in, replies and steps out (RFC 5321, RFC 2033).
///
/// The driver feeds `next` with what came in and does what the step says; replies gather in `output`, so that those of
/// a pipeline go out in one write (RFC 2920). Nothing here knows of sockets, clocks or files.
package struct ServerSession: Sendable {
    package struct Configuration: Sendable {
        /// The name in the greeting and in replies.
        package var hostName: String
        /// LHLO, and an answer for each recipient (RFC 2033).
        package var isLMTP = false
        /// The largest message in bytes; `.max`: any.
        package var maximumSize = 50 << 20
        package var maximumRecipients = 1_000
        /// STARTTLS is offered.
        package var offersTLS = false
        /// Mail is taken over TLS only.
        package var requiresTLS = false
        /// SASL mechanisms offered in the clear, and over TLS, best first.
        package var mechanisms: [String] = []
        package var mechanismsOverTLS: [String] = []
        /// ETRN is offered (RFC 1985).
        package var offersETRN = false
        /// VRFY and EXPN are answered by the driver.
        package var showsUsers = false
        /// Each command is shown to the driver before it is carried out.
        package var inspectsCommands = false

        package init(hostName: String) { self.hostName = hostName }
    }

    /// What the driver is to do next.
    package enum Step: Equatable, Sendable {
        /// Send `output`, then wait for more input.
        case needInput
        /// A command stands before its execution: call `proceed`, or `refuse` it. The verb is in upper case.
        case inspect(verb: String, argument: String)
        /// Judge a sender and call `answerSender`.
        case checkSender(Envelope)
        /// Judge a recipient and call `answerRecipient`.
        case checkRecipient(EnvelopeRecipient)
        /// VRFY, EXPN or ETRN with its argument: call `answerCommand`.
        case verify(String)
        case expand(String)
        case flushQueue(String)
        /// Begin a SASL exchange, with the initial response as the client wrote it: call `challenge` or
        /// `answerAuthentication`.
        case authenticate(mechanism: String, initialResponse: [UInt8]?)
        /// The line by which the client responds to the last challenge: call one of these again.
        case authenticationResponse([UInt8])
        /// A message begins; `output` holds the 354, if it comes by DATA.
        case beginData(Envelope)
        /// More content of the message, with LF line ends and without the transparency dots; as it came, when the
        /// body is binary.
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

    enum Phase: Sendable {
        case command
        case inspecting([UInt8])
        case checkingSender(Envelope)
        case checkingRecipient(EnvelopeRecipient)
        case answering
        case authenticating
        case awaitingResponse
        case data
        case chunk(Chunk)
        case answeringData
        case closing
    }

    /// Why input up to the next line end is not looked at.
    private enum Skip: Sendable { case none, overlong, afterBareLineFeed }

    let configuration: Configuration
    var phase = Phase.command
    var envelope: Envelope?
    /// The message that BDAT or DATA brings.
    var incoming: IncomingData?
    /// Commands in a row that made no sense.
    private var mistakes = 0
    private var skip = Skip.none
    private var approvedLine: [UInt8]?
    /// What is said in place of the next reply, when that is of the same kind.
    private var wording: Reply?
    /// Content that came with the end, to be handed out at `endData`.
    var lastPiece: [UInt8]?
    var failedAuthentications = 0

    /// The client's name as HELO, EHLO or LHLO gave it; nil before.
    package private(set) var clientName: String?
    /// The greeting was EHLO or LHLO.
    package private(set) var isExtended = false
    package private(set) var isTLS: Bool
    /// Who has logged in; nil when nobody has.
    package internal(set) var user: String?
    /// Replies that wait to be sent.
    package private(set) var output: [UInt8] = []

    /// Longer than the 512 octets of RFC 5321 4.5.3.1.4, as extensions ask for: RFC 4954 4 lets an initial response have
    /// 12,288.
    private static let lineLimit = 16_384
    /// RFC 4954 4: room for long tickets.
    private static let responseLimit = 65_536
    private static let mistakeLimit = 20

    package init(_ configuration: Configuration, isTLS: Bool = false) {
        self.configuration = configuration
        self.isTLS = isTLS
    }

    // MARK: What the driver calls

    /// The opening message (RFC 5321 3.1), or another in its place.
    package mutating func greet(with reply: Reply? = nil) {
        say(reply ?? Reply(220, nil, "\(hostName) \(configuration.isLMTP ? "LMTP" : "ESMTP") Facteur"))
    }

    /// The sender of the transaction; nil when there is none.
    package var sender: Path? { envelope?.reversePath }

    /// A recipient was accepted in this transaction.
    package var hasRecipients: Bool { recipientCount > 0 }

    /// Takes out the replies to be sent.
    package mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// The phase in which nothing is lost when the server breaks the session off.
    package var isBetweenCommands: Bool {
        if case .command = phase { return incoming == nil }
        return false
    }

    /// Adds a last reply, as when the server is stopping, and ends the session.
    package mutating func end(with reply: Reply) {
        say(reply)
        end()
    }

    /// Ends the session with what was said.
    package mutating func end() { phase = .closing }

    /// Lets the command of the last `inspect` be carried out.
    package mutating func proceed() {
        guard case .inspecting(let line) = phase else { return }
        approvedLine = line
        phase = .command
    }

    /// Answers the command of the last `inspect` in place of carrying it out.
    package mutating func refuse(_ reply: Reply) {
        guard case .inspecting(let line) = phase else { return }
        phase = .command
        refuseCommand(line, reply)
        if reply.code == 421 { end() }
    }

    /// The driver's last word on a command: after 421 the session is over (RFC 5321 3.8).
    private mutating func finish(with reply: Reply) {
        say(reply)
        if reply.code == 421 { end() }
    }

    /// The command of the last `inspect` is answered in these words when it succeeds: with a reply of the same first
    /// digit. Call before `proceed`.
    package mutating func word(_ reply: Reply) { wording = reply }

    /// The verdict on the sender of the last `checkSender`: nil accepts it.
    package mutating func answerSender(_ refusal: Reply?) {
        guard case .checkingSender(let envelope) = phase else { return }
        phase = .command
        if refusal == nil { self.envelope = envelope }
        finish(with: refusal ?? Reply(250, "2.1.0", "sender ok"))
    }

    /// The verdict on the recipient of the last `checkRecipient`: nil accepts it.
    package mutating func answerRecipient(_ refusal: Reply?) {
        guard case .checkingRecipient(let recipient) = phase else { return }
        phase = .command
        if refusal == nil { envelope?.recipients.append(recipient) }
        finish(with: refusal ?? Reply(250, "2.1.5", "recipient ok"))
    }

    /// The answer to the last `verify`, `expand` or `flushQueue`.
    package mutating func answerCommand(_ reply: Reply) {
        guard case .answering = phase else { return }
        phase = .command
        say(reply)
    }

    /// The verdict on the message of the last `endData`: one reply, or with LMTP one for each recipient, of which a
    /// single one stands for all.
    package mutating func answerData(_ replies: [Reply]) {
        guard case .answeringData = phase else { return }
        phase = .command
        let count = configuration.isLMTP ? max(1, recipientCount) : 1
        for index in 0..<count {
            finish(with: index < replies.count ? replies[index] : replies.last ?? Reply(451, "4.3.0", "no verdict"))
        }
        envelope = nil
        incoming = nil
    }

    /// TLS is there: the client knows nothing and is known by nothing (RFC 3207 4.2).
    package mutating func tlsStarted() {
        isTLS = true
        clientName = nil
        isExtended = false
        envelope = nil
        incoming = nil
        user = nil
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
            case .inspecting, .checkingSender, .checkingRecipient, .answering, .authenticating, .answeringData:
                return (consumed, .needInput)
            case .data:
                let (count, step) = readData(rest)
                return (consumed + count, step ?? .needInput)
            case .chunk(let chunk):
                let (count, step) = readChunk(chunk, rest)
                consumed += count
                if let step { return (consumed, step) }
                if case .chunk = phase { return (consumed, .needInput) }
            case .command, .awaitingResponse:
                if let line = approvedLine {
                    approvedLine = nil
                    if let step = command(line) { return (step == .startTLS ? input.count : consumed, step) }
                    continue
                }
                let (count, step) = readLine(rest)
                consumed += count
                if let step { return (step == .startTLS ? input.count : consumed, step) }
                if count == 0 { return (consumed, .needInput) }
            }
        }
    }

    // MARK: Lines

    private enum LineEnd { case crlf(Int), bareLineFeed(Int) }

    /// The first line end of `input`. Only CRLF ends a line (RFC 5321 2.3.8).
    private func lineEnd(_ input: Span<UInt8>) -> LineEnd? {
        guard let lf = input.firstIndex(of: ASCII.lf) else { return nil }
        return lf > 0 && input[lf - 1] == ASCII.cr ? .crlf(lf) : .bareLineFeed(lf)
    }

    /// Reads one line, or as much of an endless one as is there: that never grows memory.
    private mutating func readLine(_ input: Span<UInt8>) -> (consumed: Int, step: Step?) {
        var limit = ServerSession.lineLimit
        if case .awaitingResponse = phase { limit = ServerSession.responseLimit }
        guard let end = lineEnd(input) else {
            if clientName == nil, input.count >= 3, input[0] == 0x16, input[1] == 0x03 {
                end(with: Reply(554, "5.5.1", "\(hostName): TLS begins with STARTTLS on this port"))
                return (input.count, .close)
            }
            guard input.count > limit || (skip != .none && !input.isEmpty) else { return (0, nil) }
            if skip == .none { skip = .overlong }
            // A CR may belong to the line's end.
            return (input.count - (input[input.count - 1] == ASCII.cr ? 1 : 0), nil)
        }
        switch end {
        case .bareLineFeed(let place):
            // What follows up to CRLF still belongs to this line, so that it cannot be a command of its own.
            let wasOverlong = skip == .overlong
            skip = wasOverlong ? .overlong : .afterBareLineFeed
            return (place + 1, wasOverlong ? nil : mistake(.bareLineEnd))
        case .crlf(let place):
            let wasSkipping = skip
            skip = .none
            if wasSkipping == .afterBareLineFeed { return (place + 1, nil) }
            if wasSkipping == .overlong || place > limit { return (place + 1, tooLong()) }
            let line = input.array(0..<(place - 1))
            if case .awaitingResponse = phase {
                return (place + 1, ask(.authenticating, .authenticationResponse(line)))
            }
            return (place + 1, inspect(line))
        }
    }

    private mutating func tooLong() -> Step? {
        if case .awaitingResponse = phase {
            phase = .command
            return mistake(.responseTooLong)
        }
        phase = .command
        return mistake(.lineTooLong)
    }

    private mutating func inspect(_ line: [UInt8]) -> Step? {
        if line.contains(where: { $0 == ASCII.cr || $0 == ASCII.nul }) { return mistake(.bareLineEnd) }
        guard configuration.inspectsCommands else { return command(line) }
        phase = .inspecting(line)
        let (verb, argument) = ServerSession.split(line)
        return .inspect(verb: verb, argument: argument.text)
    }

    /// Verb in upper case and argument of a command; spaces at its end are tolerated.
    static func split(_ line: [UInt8]) -> (verb: String, argument: [UInt8]) {
        let trimmed = line[..<(line.lastIndex { !$0.isSpaceOrTab }.map { $0 + 1 } ?? 0)]
        let verbEnd = trimmed.firstIndex { $0 == ASCII.space } ?? trimmed.endIndex
        return (
            trimmed[..<verbEnd].map(\.asciiUppercased).text, Array(trimmed[verbEnd...].drop { $0.isSpaceOrTab })
        )
    }

    // MARK: What the commands use

    var hostName: String { configuration.hostName }
    var maximumSize: Int { configuration.maximumSize }
    var isInTransaction: Bool { envelope != nil }
    var recipientCount: Int { envelope?.recipients.count ?? 0 }
    var mechanisms: [String] { isTLS ? configuration.mechanismsOverTLS : configuration.mechanisms }

    mutating func say(_ reply: Reply) {
        if let words = wording.take(), words.code / 100 == reply.code / 100 {
            output += words.bytes
        } else {
            output += reply.bytes
        }
    }

    /// An answer to a command that made sense.
    mutating func answer(_ reply: Reply) -> Step? {
        mistakes = 0
        say(reply)
        return nil
    }

    /// A step that will be answered.
    mutating func ask(_ phase: Phase, _ step: Step) -> Step {
        mistakes = 0
        self.phase = phase
        return step
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

    mutating func greeted(_ name: String, extended: Bool) -> Step? {
        clientName = name
        isExtended = extended
        return reset()
    }

    /// Forgets the transaction; a message that was on its way by BDAT is dropped.
    mutating func reset() -> Step? {
        envelope = nil
        let wasIncoming = incoming != nil
        incoming = nil
        return wasIncoming ? .abandonData : nil
    }
}
