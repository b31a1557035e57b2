import Bytes

/// A message on its way in.
struct IncomingData: Sendable {
    var decoder: DataDecoder
    /// The reply by which it will be refused; its content is counted and thrown away from then on.
    var refusal: Reply?
    /// The driver was told.
    var isAbandoned = false

    init(_ decoder: DataDecoder) { self.decoder = decoder }
}

/// A chunk of BDAT on its way in (RFC 3030).
struct Chunk: Sendable {
    var size: Int
    var left: Int
    let isLast: Bool
    /// The answer of a chunk that belongs to no message: it is counted and thrown away.
    var refusal: Reply?
}

extension ServerSession {
    /// The most that is handed out at once.
    private static let pieceLimit = 65_536

    // MARK: DATA

    /// DATA was accepted.
    mutating func beginData(_ envelope: Envelope) -> Step? {
        incoming = IncomingData(DataDecoder())
        say(Reply(354, nil, "end data with <CRLF>.<CRLF>"))
        return ask(.data, .beginData(envelope))
    }

    mutating func readData(_ input: Span<UInt8>) -> (consumed: Int, step: Step?) {
        let piece = input.extracting(0..<min(input.count, ServerSession.pieceLimit))
        var content: [UInt8] = []
        let (count, isAtEnd) = incoming?.decoder.decode(piece, into: &content) ?? (0, false)
        let isNewlyRefused = judgeIncoming()
        if isAtEnd { return (count, endMessage(content)) }
        if isNewlyRefused { return (count, abandon()) }
        if incoming?.refusal != nil { content = [] }
        return (count, content.isEmpty ? (count < input.count ? .data([]) : nil) : .data(content))
    }

    /// Looks whether the message has to be refused by now; true when that is new.
    private mutating func judgeIncoming() -> Bool {
        guard let incoming, incoming.refusal == nil else { return false }
        var refusal: Reply?
        if incoming.decoder.size > maximumSize {
            refusal = Reply(552, "5.3.4", "the message is larger than \(maximumSize) bytes")
        } else if incoming.decoder.hasBareCR {
            refusal = Reply(550, "5.6.0", "a CR without LF is not allowed (RFC 5321 2.3.8)")
        }
        guard refusal != nil else { return false }
        self.incoming?.refusal = refusal
        return true
    }

    private mutating func abandon() -> Step {
        incoming?.isAbandoned = true
        return .abandonData
    }

    /// The last octet of the message was read.
    private mutating func endMessage(_ content: [UInt8]) -> Step {
        phase = .answeringData
        if let refusal = incoming?.refusal {
            let isAbandoned = incoming?.isAbandoned ?? false
            answerData([refusal])
            return isAbandoned ? .data([]) : .abandonData
        }
        lastPiece = content
        return .endData
    }

    /// The content that came in the last piece, right before the end. Taken once, at `endData`.
    package mutating func takeLastPiece() -> [UInt8] {
        defer { lastPiece = nil }
        return lastPiece ?? []
    }

    // MARK: BDAT

    /// `BDAT size [LAST]` (RFC 3030 2). Whatever the answer will be, so many octets are not commands.
    mutating func beginChunk(_ argument: [UInt8], refusal: Reply? = nil) -> Step? {
        let words = argument.split(separator: ASCII.space)
        guard (1...2).contains(words.count), let size = Int(words[0].text), size >= 0,
            words[0][words[0].startIndex].isASCIIDigit
        else {
            // How many octets follow is not known: nothing that comes may be taken for a command.
            end(with: Reply(501, "5.5.4", "the syntax is BDAT size [LAST]; \(hostName) closes the connection"))
            return .close
        }
        let isLast = words.count == 2
        var refusal = refusal
        if isLast, !words[1].equalsIgnoringCase("LAST") {
            refusal = refusal ?? Reply(501, "5.5.4", "the syntax is BDAT size [LAST]")
        }
        refusal = refusal ?? chunkRefusal()
        if refusal == nil, let known = incoming?.refusal {
            // A chunk of the message was refused before: so are the others, until RSET (RFC 3030 2).
            refusal = Reply(503, "5.5.1", "the message was refused: \(known.lines[0])")
        }
        let chunk = Chunk(size: size, left: size, isLast: isLast, refusal: refusal)
        guard refusal == nil, incoming == nil, let envelope else {
            phase = .chunk(chunk)
            return nil
        }
        incoming = IncomingData(DataDecoder(envelope.parameters.body == .binary ? .binary : .text))
        return ask(.chunk(chunk), .beginData(envelope))
    }

    private func chunkRefusal() -> Reply? {
        guard isInTransaction else { return Reply(503, "5.5.1", "say MAIL first") }
        guard recipientCount > 0 else {
            return Reply(configuration.isLMTP ? 503 : 554, "5.5.1", "there is no valid recipient")
        }
        return nil
    }

    mutating func readChunk(_ chunk: Chunk, _ input: Span<UInt8>) -> (consumed: Int, step: Step?) {
        let isDropped = chunk.refusal != nil || incoming?.refusal != nil
        let count = min(chunk.left, input.count, isDropped ? .max : ServerSession.pieceLimit)
        var chunk = chunk
        chunk.left -= count
        phase = .chunk(chunk)
        if isDropped {
            return (count, chunk.left == 0 ? endChunk(chunk, []) : nil)
        }
        var content: [UInt8] = []
        _ = incoming?.decoder.decode(input.extracting(0..<count), into: &content)
        if chunk.left == 0, chunk.isLast { incoming?.decoder.finish(into: &content) }
        let isNewlyRefused = judgeIncoming()
        if chunk.left == 0, let step = endChunk(chunk, content) { return (count, step) }
        if isNewlyRefused { return (count, abandon()) }
        return (count, content.isEmpty ? nil : .data(content))
    }

    /// A chunk was read whole: it is answered, the last one by the verdict on the message.
    private mutating func endChunk(_ chunk: Chunk, _ content: [UInt8]) -> Step? {
        phase = .command
        if let refusal = chunk.refusal {
            // With LMTP the last chunk is answered for each recipient, whatever the answer (RFC 2033 4.2).
            for _ in 1..<max(1, chunk.isLast && configuration.isLMTP ? recipientCount : 1) { say(refusal) }
            return mistake(refusal)
        }
        if let refusal = incoming?.refusal {
            if chunk.isLast { return endMessage([]) }
            say(refusal)
            return nil
        }
        if chunk.isLast { return endMessage(content) }
        _ = answer(Reply(250, "2.0.0", "\(chunk.size) octets received"))
        return nil
    }
}
