import Bytes
import Delivery
import SMTP
import Unix

extension QueuedEnvelope {
    /// The envelope of a message that is to be queued now.
    init(_ message: OutgoingMessage) {
        var parameters = message.request.parameters
        if parameters.body == nil, message.survey.isEightBit { parameters.body = .eightBit }
        self.init(
            reversePath: message.reversePath, parameters: parameters,
            recipients: message.recipients.map {
                Recipient(path: $0.path, parameters: message.request.parameters(for: $0))
            }, arrival: SystemClock.now.seconds)
        if envelope.hasInternationalAddress { self.parameters.smtpUTF8 = true }
        requiresStatus = message.request.isRequired
    }
}

extension Queue {
    /// Queues a message; when this returns it would survive a power loss.
    func add(_ message: OutgoingMessage) throws(SystemError) -> QueueID {
        let delivery = try begin(QueuedEnvelope(message))
        var failure: SystemError?
        message.content.forEachPart { part in
            guard failure == nil else { return }
            do throws(SystemError) { try delivery.write(part) } catch { failure = error }
        }
        if let failure { throw failure }
        try delivery.end()
        try delivery.synchronize()
        try delivery.publish()
        try synchronize()
        return delivery.id
    }
}

extension MessageContent {
    /// The message of a queue's file, where it lies there; the dots that SMTP puts before others are taken out.
    init(_ file: QueueFile, in piece: Piece) throws(SystemError) {
        var isPlain = !file.isStuffed
        if !isPlain { piece.read(file.content) { isPlain = !Self.hasDottedLine($0) } }
        if isPlain {
            self.init(pieces: [piece.part(file.content)])
        } else {
            self = try Self.unstuffed(piece, file.content)
        }
    }

    private static func hasDottedLine(_ bytes: Span<UInt8>) -> Bool {
        var place = 0
        while let dot = bytes.firstIndex(of: ASCII.dot, from: place) {
            if dot == 0 || bytes[dot - 1] == ASCII.lf { return true }
            // The next line that might begin with one.
            guard let lf = bytes.firstIndex(of: ASCII.lf, from: dot) else { return false }
            place = lf + 1
        }
        return false
    }

    private static func unstuffed(_ piece: Piece, _ range: Range<Int>) throws(SystemError) -> MessageContent {
        var spool = MessageSpool()
        var failure: SystemError?
        piece.read(range) { bytes in
            do throws(SystemError) { try unstuff(bytes, into: &spool) } catch { failure = error }
        }
        if let failure { throw failure }
        return try spool.finish()
    }

    private static func unstuff(_ bytes: Span<UInt8>, into spool: inout MessageSpool) throws(SystemError) {
        var place = 0
        while place < bytes.count {
            let next = bytes.firstIndex(of: ASCII.lf, from: place).map { $0 + 1 } ?? bytes.count
            try spool.append(bytes.extracting((bytes[place] == ASCII.dot ? place + 1 : place)..<next))
            place = next
        }
    }
}

extension OutgoingMessage {
    /// The message of a queue for some of its recipients. One that stands in the file twice is one here.
    init(_ entry: QueueEntry, _ addresses: [EnvelopeAddress]) throws(SystemError) {
        self.init(
            name: entry.id.description,
            content: try MessageContent(entry.file, in: .mapped(entry.bytes, 0..<entry.bytes.count)),
            reversePath: entry.envelope.reversePath,
            recipients: addresses, request: StatusRequest(entry.envelope))
    }
}

extension StatusRequest {
    /// What an envelope asks for.
    init(_ envelope: QueuedEnvelope) {
        parameters = envelope.parameters
        isRequired = envelope.requiresStatus
        for recipient in envelope.recipients {
            guard let address = EnvelopeAddress(recipient.path) else { continue }
            recipientParametersByAddress[address] = recipient.parameters
        }
    }
}
