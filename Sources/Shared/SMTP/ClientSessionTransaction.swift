import Bytes

/// A mail transaction in progress.
struct TransactionState: Sendable {
    /// By recipient; nil while undecided.
    var results: [ClientResult?]
    /// The answer that RCPT got, by recipient, when it was positive: they wait for the final dot.
    var accepted: [Int] = []
    /// The positive answer to RCPT, by recipient.
    var lastPositive: Reply?
    var mailAccepted = false
    /// DATA or BDAT went out.
    var dataAsked = false
    let form: ClientMessageForm
    /// The octets that BDAT announces; nil with DATA.
    let announcedSize: Int?

    init(_ message: ClientTransaction, _ form: ClientMessageForm) {
        self.form = form
        switch form {
        case .data: announcedSize = nil
        case .chunk: announcedSize = message.survey.size
        case .binaryChunk: announcedSize = message.survey.storedSize
        }
        results = Array(repeating: nil, count: message.recipients.count)
    }

    /// Gives every recipient that has none this result.
    mutating func decide(_ result: ClientResult) {
        for index in results.indices where results[index] == nil { results[index] = result }
        accepted = []
    }
}

/// MAIL, RCPT, DATA, the message, and RSET.
extension ClientSession {
    /// Begins a message. Only at `ready`. What the server's offers exclude is refused here, before a word is sent.
    package mutating func begin(_ message: ClientTransaction) {
        guard phase == .ready, !message.recipients.isEmpty else {
            let result =
                failure
                ?? ClientResult(
                    outcome: .temporary, enhanced: "4.3.0", text: "the session is not ready", cause: .connection)
            actions.append(.results(message.recipients.map { _ in result }))
            return
        }
        if let refusal = refusal(of: message) {
            actions.append(.results(message.recipients.map { _ in refusal }))
            return
        }
        var state = TransactionState(message, form(of: message))
        var commands: [(awaited: Awaited, line: String)] = needsReset ? [(.reset, "RSET")] : []
        commands.append((.mail, "MAIL FROM:<\(message.reversePath)>" + mailParameters(message)))
        for (index, recipient) in message.recipients.enumerated() {
            if let refusal = message.refusalOfPath(recipient.path, enhanced: "5.1.3") {
                state.results[index] = refusal
            } else if !recipient.path.isASCII, !extensions.smtpUTF8 {
                state.results[index] = .noUTF8("the address is not ASCII")
            } else {
                let parameters = extensions.statusNotifications ? recipient.parameters.text : ""
                commands.append((.recipient(index), "RCPT TO:<\(recipient.path)>\(parameters)"))
            }
        }
        // With nobody left to get it, the server hears nothing of the message.
        guard state.results.contains(where: { $0 == nil }) else {
            return actions.append(.results(state.results.compactMap { $0 }))
        }
        let isWholeInOneWrite =
            mayPipeline && configuration.dialect == .smtp
            && state.announcedSize.map { $0 <= Self.pipelinedChunkLimit } ?? false
        if mayPipeline, state.form == .data {
            commands.append((.data, "DATA"))
            state.dataAsked = true
        }
        self.commands = commands
        needsReset = false
        transaction = state
        phase = .transaction
        writeCommands()
        if isWholeInOneWrite { announceChunk() }
    }

    /// A message up to this size goes out with its commands, before the server has answered them (RFC 3030 4.2): a whole
    /// round trip less. A larger one waits until somebody is there to receive it. In octets.
    private static let pipelinedChunkLimit = 65_536

    private var mayPipeline: Bool {
        configuration.pipelining && extensions.pipelining && configuration.lastStep != .mail
            && configuration.lastStep != .recipient
    }

    private func form(of message: ClientTransaction) -> ClientMessageForm {
        if message.parameters.body == .binary { return .binaryChunk }
        return extensions.chunking && configuration.chunking && configuration.lastStep != .data ? .chunk : .data
    }

    private mutating func announceChunk() {
        guard let transaction, let size = transaction.announcedSize else { return }
        self.transaction?.dataAsked = true
        output += Array("BDAT \(size) LAST\r\n".utf8)
        phase = .sendingMessage
        actions.append(.sendMessage(transaction.form))
    }

    private var takesBinary: Bool { extensions.binaryMIME && extensions.chunking }

    /// What the content of a message must be encoded to before this server gets it; nil when it goes as it is. Only at
    /// `ready`.
    ///
    /// A server without 8BITMIME takes no octets beyond ASCII (RFC 6152 3). Lines that are too long, and NUL, are for no
    /// server (RFC 5321 4.5.3.1.6, RFC 2045 2.8), but one that offers BINARYMIME holds them (RFC 3030 3), and so does a
    /// mailbox store (LMTP): there the message stays what it is.
    package func neededEncoding(of message: ClientTransaction) -> ClientContentDomain? {
        let widest = extensions.eightBitMIME ? ClientContentDomain.eightBit : .sevenBit
        if message.parameters.body == .binary { return takesBinary ? nil : widest }
        if message.survey.isEightBit, !extensions.eightBitMIME { return .sevenBit }
        return message.survey.isIrregular && !extensions.binaryMIME && configuration.dialect == .smtp ? widest : nil
    }

    /// What the client can know before it asks.
    private func refusal(of message: ClientTransaction) -> ClientResult? {
        if let refusal = message.refusalOfPath(message.reversePath, enhanced: "5.1.7") { return refusal }
        if let limit = extensions.sizeLimit, message.survey.size > limit {
            return ClientResult(
                outcome: .refused, enhanced: "5.3.4",
                text: "the message has \(message.survey.size) octets, and the server takes \(limit)", cause: .message)
        }
        if message.requiresStatus, !extensions.statusNotifications {
            return ClientResult(
                outcome: .refused, enhanced: "5.3.3",
                text: "notifications are required, and the server does not offer DSN", cause: .message)
        }
        if message.parameters.requiresTLS, !isEncrypted || !extensions.requireTLS || !configuration.isPeerSure {
            // RFC 8689 4.2.1: with whom, must be sure too.
            let lack =
                !isEncrypted
                ? "there is no TLS"
                : configuration.isPeerSure
                    ? "the server does not offer REQUIRETLS" : "nothing vouches for the server (DANE, MTA-STS)"
            return ClientResult(
                outcome: .refused, enhanced: "5.7.30", text: "the message must stay encrypted, and \(lack)",
                cause: .tls)
        }
        if message.parameters.body == .binary {
            if takesBinary { return nil }
            return ClientResult(
                outcome: .refused, enhanced: "5.6.3",
                text: "the message is binary, and the server does not offer BINARYMIME with CHUNKING: "
                    + message.advice,
                cause: .message)
        }
        if message.survey.isEightBit, !extensions.eightBitMIME {
            return ClientResult(
                outcome: .refused, enhanced: "5.6.3",
                text: "the message has 8-bit octets, and the server does not offer 8BITMIME: \(message.advice)",
                cause: .message)
        }
        if message.needsUTF8ForAll(configuration.dialect) || message.recipients.allSatisfy({ !$0.path.isASCII }),
            !extensions.smtpUTF8
        {
            let what = message.envelope.hasInternationalAddress ? "an address is not ASCII" : "the header is not ASCII"
            return .noUTF8(what)
        }
        return nil
    }

    private func mailParameters(_ message: ClientTransaction) -> String {
        var text = ""
        if extensions.size { text += " SIZE=\(message.survey.size)" }
        var parameters = MailParameters()
        parameters.body =
            message.parameters.body == .binary ? .binary : message.survey.isEightBit ? .eightBit : nil
        parameters.smtpUTF8 =
            extensions.smtpUTF8 && (message.parameters.smtpUTF8 || message.envelope.hasInternationalAddress)
        parameters.requiresTLS = message.parameters.requiresTLS
        if extensions.statusNotifications {
            parameters.returned = message.parameters.returned
            parameters.envelopeID = message.parameters.envelopeID
        }
        return text + parameters.text
    }

    /// Writes all commands in one go with PIPELINING (RFC 2920 3.1), else the next one.
    private mutating func writeCommands() {
        let count = mayPipeline ? commands.count : min(1, commands.count)
        for command in commands.prefix(count) { send(command.line, awaiting: command.awaited) }
        commands.removeFirst(count)
    }

    mutating func handleTransaction(_ reply: Reply, to awaited: Awaited) {
        guard transaction != nil else { return }
        let kind = reply.code / 100
        switch (awaited, kind) {
        case (.reset, 2): break
        // The session is of no use then, which says nothing of the message.
        case (.reset, 4), (.reset, 5): return give(up: ClientResult(.temporary, reply, cause: .connection))

        case (.mail, 2):
            transaction?.mailAccepted = true
            if configuration.lastStep == .mail { return stop(reply) }
        case (.mail, 4), (.mail, 5):
            transaction?.decide(ClientResult(negative: reply))
            commands = []

        case (.recipient(let index), 2): accept(index, reply)
        case (.recipient(let index), 4), (.recipient(let index), 5): refuse(index, reply)

        case (.data, 3): return answeredDATA(reply)
        case (.data, 4), (.data, 5):
            transaction?.decide(ClientResult(negative: reply))
            needsReset = true

        case (.message, 2): transaction?.decide(ClientResult(.accepted, reply))
        case (.message, 4), (.message, 5):
            // After a chunk that was refused the server may still be in the transaction (RFC 3030 2).
            needsReset = transaction?.announcedSize != nil
            transaction?.decide(ClientResult(negative: reply))
        case (.messageFor(let index), 2): transaction?.results[index] = ClientResult(.accepted, reply)
        case (.messageFor(let index), 4), (.messageFor(let index), 5):
            transaction?.results[index] = ClientResult(negative: reply)
        case (.emptyMessage, 2), (.emptyMessage, 4), (.emptyMessage, 5): needsReset = true

        default:
            self.awaited.insert(awaited, at: 0)
            return unexpected(reply, at: awaited.step)
        }
        proceed()
    }

    private mutating func accept(_ index: Int, _ reply: Reply) {
        guard transaction?.results[index] == nil else { return }
        transaction?.accepted.append(index)
        transaction?.lastPositive = reply
    }

    /// A permanent no for "too many recipients" is the old form of a temporary one (RFC 5321 4.5.3.1.10).
    private mutating func refuse(_ index: Int, _ reply: Reply) {
        guard let transaction, transaction.results[index] == nil else { return }
        var result = ClientResult(negative: reply)
        let tooMany = result.enhanced == nil || result.enhanced == "5.5.3"
        if reply.code == 552, tooMany, !transaction.accepted.isEmpty { result.outcome = .temporary }
        self.transaction?.results[index] = result
    }

    /// 354. With nobody to receive the message, a dot ends it at once (RFC 2920 3.1).
    private mutating func answeredDATA(_ reply: Reply) {
        if transaction?.accepted.isEmpty ?? true {
            return send(".", awaiting: .emptyMessage)
        }
        if configuration.lastStep == .data { return stop(reply) }
        phase = .sendingMessage
        actions.append(.sendMessage(.data))
    }

    /// What follows when all that was asked is answered.
    private mutating func proceed() {
        guard awaited.isEmpty, phase == .transaction, let transaction else { return }
        if !commands.isEmpty { return writeCommands() }
        if configuration.lastStep == .recipient, let reply = transaction.lastPositive { return stop(reply) }
        if !transaction.dataAsked, !transaction.accepted.isEmpty {
            if transaction.announcedSize != nil { return announceChunk() }
            self.transaction?.dataAsked = true
            return send("DATA", awaiting: .data)
        }
        if !transaction.dataAsked, transaction.mailAccepted { needsReset = true }
        transactionCount += 1
        phase = .ready
        finishTransaction(
            undecided: ClientResult(
                outcome: .temporary, enhanced: "4.5.0", text: "the server gave no answer for this recipient",
                cause: .protocolViolation))
    }

    /// Hands out the results of a transaction, if there is one; those not decided yet get `undecided`.
    mutating func finishTransaction(undecided: ClientResult) {
        guard var state = transaction else { return }
        transaction = nil
        state.decide(undecided)
        actions.append(.results(state.results.compactMap { $0 }))
    }
}

extension ClientResult {
    /// RFC 6531 3.5: the code that a server of the extension would give.
    fileprivate static func noUTF8(_ what: String) -> ClientResult {
        ClientResult(
            outcome: .refused, enhanced: "5.6.7", text: "\(what), and the server does not offer SMTPUTF8",
            cause: .message)
    }
}
