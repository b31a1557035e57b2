import Bytes
import CommandLineTool
import Delivery
import Glibc
import Mailboxes
import MessageFormat
import Synchronization
import Unix

/// The messages of the command line, one after the other; several couriers may take from it.
final class MessageSource: Sendable {
    private struct State: ~Copyable {
        var operands: ArraySlice<String>
        var batches: ArraySlice<String>
        var batch: BatchSource?
        var mbox: MboxStream?
        var maildir: (maildir: Maildir, entries: ArraySlice<Maildir.Entry>)?
        /// The latest message, and how often it is still to be sent.
        var repeated: (message: OutgoingMessage, left: Int)?
    }

    private let envelope: EnvelopeOptions
    private let composition: Composition?
    private let signing: Signing?
    /// Messages go into a queue, and leave it without the keys being there: what may have to be encoded is, before it is
    /// signed.
    private let isEncodedFirst: Bool
    private let state: Mutex<State>

    init(_ arguments: Arguments, envelope: EnvelopeOptions) throws(ToolFailure) {
        self.envelope = envelope
        composition = try Composition(arguments)
        signing = try Signing(arguments)
        isEncodedFirst =
            arguments.isGiven(SendOptions.queue) && !arguments[SendOptions.dryRun] && !arguments[SendOptions.noEncoding]
        let batches = arguments[SendOptions.batch]
        let isForNobody = envelope.recipients.isEmpty && !envelope.readsRecipients && signing?.onlyShows != true
        if isForNobody, batches.isEmpty || !arguments.operands.isEmpty {
            throw ToolFailure(.usage, "no recipients: give --to ADDRESS, or -t to take them from the header")
        }
        let standard = envelope.needsNoMessage ? "/dev/null" : "-"
        let operands = arguments.operands.isEmpty && batches.isEmpty ? [standard] : arguments.operands
        if (operands + batches).count(where: { $0 == "-" }) > 1 {
            throw ToolFailure(.usage, "-: standard input can be read only once")
        }
        state = Mutex(State(operands: operands[...], batches: batches[...]))
    }

    /// The next message, signed if that is wanted; nil when there are no more. After an error, the next call goes on with
    /// the next message, or the next operand when this one cannot be read further.
    func next() throws -> OutgoingMessage? {
        let message = try nextUnsigned()
        guard let signing, let message, message.content.count > 0 else { return message }
        return try signing.sign(isEncodedFirst ? message.encodedForSignature() : message)
    }

    private func nextUnsigned() throws -> OutgoingMessage? {
        try state.withLock { state in
            if let repeated = state.repeated, repeated.left > 0 {
                state.repeated?.left -= 1
                return repeated.message
            }
            let message = try nextNew(&state)
            if envelope.repeatCount > 1 { state.repeated = message.map { ($0, envelope.repeatCount - 1) } }
            return message
        }
    }

    private func nextNew(_ state: inout State) throws -> OutgoingMessage? {
        while true {
            if let message = try nextOfBatch(&state) { return message }
            if let message = try nextOfMbox(&state) { return message }
            if let message = try nextOfMaildir(&state) { return message }
            if let batch = state.batches.popFirst() {
                state.batch = try BatchSource(batch)
                continue
            }
            guard let operand = state.operands.popFirst() else { return nil }
            if let message = try open(operand, &state) { return message }
        }
    }

    // MARK: - Envelope and header

    private func outgoing(_ name: String, _ content: MessageContent) throws(ToolFailure) -> OutgoingMessage {
        guard content.count > 0 || envelope.needsNoMessage || envelope.isSubmission else {
            throw ToolFailure(.dataError, "\(name): is empty: there is no message to send")
        }
        let isComplete = !envelope.readsRecipients && !envelope.isSubmission
        if let sender = envelope.reversePath, isComplete {
            return outgoing(name, content, sender, envelope.recipients)
        }
        let header = try MessageHeader(content, name: name)
        // Sendmail's sender is whoever calls it.
        let sender = envelope.reversePath ?? (envelope.isSubmission ? nil : header.sender?.path) ?? Origin.address
        if isComplete { return outgoing(name, content, sender, envelope.recipients) }
        let recipients = envelope.readsRecipients ? try recipients(header, name) : envelope.recipients
        return outgoing(name, header.submission(adding: missingFields(header, sender)), sender, recipients)
    }

    private func outgoing(
        _ name: String, _ content: MessageContent, _ sender: String, _ recipients: [EnvelopeAddress]
    ) -> OutgoingMessage {
        OutgoingMessage(
            name: name, content: content, reversePath: sender, recipients: recipients, request: envelope.request
        ).declared
    }

    /// With -t: those of the command line and those of the header, each once.
    private func recipients(_ header: MessageHeader, _ name: String) throws(ToolFailure) -> [EnvelopeAddress] {
        var recipients = envelope.recipients
        var known = Set(recipients)
        for recipient in try header.recipients(name: name) {
            let recipient = envelope.isSubmission ? recipient.qualified : recipient
            guard known.insert(recipient).inserted else { continue }
            if recipient.domain == nil, !envelope.takesBareNames {
                throw ToolFailure(.dataError, "\(name): \(recipient.text): has no domain: correct it, or give --server")
            }
            recipients.append(recipient)
        }
        if recipients.isEmpty { throw ToolFailure(.dataError, "\(name): has no recipients: To, Cc and Bcc are empty") }
        return recipients
    }

    /// A message that begins its way here gets what every message must or should have (RFC 5322 3.6).
    private func missingFields(_ header: MessageHeader, _ sender: String) -> [UInt8] {
        var fields: [UInt8] = []
        if !header.has("From") {
            let address = Address(name: envelope.fullName, address: sender.isEmpty ? Origin.address : sender)
            fields += HeaderComposition.addressField("From", [address])
        }
        if !header.has("Date") { fields += HeaderComposition.structuredField("Date", Origin.now.text) }
        if !header.has("Message-ID") {
            fields += HeaderComposition.structuredField("Message-ID", Origin.messageID(sender: sender))
        }
        return fields
    }

    // MARK: - Files

    /// The message of a file; nil when it is a mailbox, which is open then.
    private func open(_ operand: String, _ state: inout State) throws -> OutgoingMessage? {
        if let composition {
            let sender = envelope.reversePath.flatMap { $0.isEmpty ? nil : $0 } ?? Origin.address
            return try outgoing(
                "-",
                composition.message(
                    sender: sender, recipients: envelope.recipients, withBcc: envelope.readsRecipients))
        }
        if operand == "-" {
            let number = dup(0)
            guard number >= 0 else { throw ToolFailure(.noInput, "-: standard input is closed") }
            let file = FileDescriptor(owning: number, subject: "standard input")
            if envelope.isSubmission {
                return try outgoing(operand, try SubmittedText.read(file, endsAtDot: envelope.endsAtDot))
            }
            return try openStream(operand, file, &state)
        }
        if Maildir.isMaildir(operand) {
            let maildir = try Maildir(operand)
            state.maildir = (maildir, try maildir.entries()[...])
            return nil
        }
        let file = try FileDescriptor.open(operand, O_RDONLY)
        if Files.kind(of: try file.status()) != .file { return try openStream(operand, file, &state) }
        let mapping = try SharedMappedFile(file)
        if mapping.beginsWithFromLine {
            state.mbox = try MboxStream(file: file, name: operand)
            return nil
        }
        return try outgoing(operand, MessageContent(pieces: [.mapped(mapping, 0..<mapping.file.count)]))
    }

    /// A pipe is an mbox when it begins as one, else a single message.
    private func openStream(
        _ name: String, _ file: consuming FileDescriptor, _ state: inout State
    ) throws -> OutgoingMessage? {
        var start: [UInt8] = []
        while start.count < Self.fromLine.utf8CodeUnitCount, try file.read(into: &start) > 0 {}
        if start.span.matches(Self.fromLine, at: 0) {
            state.mbox = try MboxStream(pipe: file, name: name, start: start)
            return nil
        }
        var spool = MessageSpool()
        while !start.isEmpty {
            try spool.append(start.span)
            start.removeAll(keepingCapacity: true)
            _ = try file.read(into: &start)
        }
        return try outgoing(name, try spool.finish())
    }

    fileprivate static let fromLine: StaticString = "From "

    // MARK: - Mailboxes

    private func nextOfBatch(_ state: inout State) throws -> OutgoingMessage? {
        let message = try state.batch?.next()
        if message == nil { state.batch = nil }
        return message
    }

    private func nextOfMbox(_ state: inout State) throws -> OutgoingMessage? {
        guard let content = try readMbox(&state), let name = state.mbox?.messageName else {
            state.mbox = nil
            return nil
        }
        return try outgoing(name, content)
    }

    private func readMbox(_ state: inout State) throws -> MessageContent? {
        do {
            return try state.mbox?.next()
        } catch {
            state.mbox = nil
            throw error
        }
    }

    private func nextOfMaildir(_ state: inout State) throws -> OutgoingMessage? {
        guard let maildir = state.maildir?.maildir, let entry = state.maildir?.entries.popFirst() else {
            state.maildir = nil
            return nil
        }
        let mapping = try SharedMappedFile(try maildir.open(entry))
        return try outgoing(
            "\(maildir.path)/\(entry.folder.rawValue)/\(entry.name.bytes.text)",
            MessageContent(pieces: [.mapped(mapping, 0..<mapping.file.count)]))
    }
}

extension SharedMappedFile {
    fileprivate var beginsWithFromLine: Bool { Self.beginsWithFromLine(file) }

    private static func beginsWithFromLine(_ file: borrowing MappedFile) -> Bool {
        file.bytes.matches(MessageSource.fromLine, at: 0)
    }
}

/// A message that a program gives as it gives it to sendmail(8): one, whatever it looks like.
private enum SubmittedText {
    /// Without a From_ line before it; and, unless that was switched off, up to a line that is a dot alone.
    static func read(_ file: consuming FileDescriptor, endsAtDot: Bool) throws -> MessageContent {
        var bytes = try file.readAll()
        if endsAtDot, let end = placeOfDot(bytes.span) { bytes.removeSubrange(end...) }
        if bytes.span.matches(MessageSource.fromLine, at: 0) {
            bytes.removeSubrange(..<bytes.span.line(at: 0).next)
        }
        return MessageContent(bytes)
    }

    private static func placeOfDot(_ bytes: Span<UInt8>) -> Int? {
        var place = 0
        while place < bytes.count {
            let line = bytes.line(at: place)
            if line.content.count == 1, bytes[place] == ASCII.dot { return place }
            place = line.next
        }
        return nil
    }
}
