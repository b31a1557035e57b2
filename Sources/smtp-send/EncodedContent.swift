import Delivery
import MessageFormat
import SMTP
import Synchronization
import Unix

extension MessageContent {
    /// The content encoded for a server that takes `domain` only, in constant memory; nil when nothing of it needs to be
    /// encoded. With `isBinary`, it was handed over as BODY=BINARYMIME. Blocks.
    func encoded(to domain: ClientContentDomain, isBinary: Bool) throws -> MessageContent? {
        guard let piece = try inOnePiece() else { return nil }
        var result: Result<MessageContent?, any Error> = .success(nil)
        piece.read(0..<piece.count) { message in
            result = Result { try Self.encode(message, to: domain, isBinary: isBinary, piece.release) }
        }
        return try result.get()
    }

    private static func encode(
        _ message: Span<UInt8>, to domain: ClientContentDomain, isBinary: Bool, _ passed: (Int) -> Void
    ) throws -> MessageContent? {
        let conversion = try withoutActuallyEscaping(passed) { passed in
            try TransferConversion(
                message, to: domain == .sevenBit ? .sevenBit : .eightBit, isBinary: isBinary, passed: passed)
        }
        if conversion.isEmpty { return nil }
        var spool = MessageSpool()
        try withoutActuallyEscaping(passed) { passed in
            try conversion.write(message, passed: passed) { (part) throws(SystemError) in try spool.append(part) }
        }
        return try spool.finish()
    }

    /// Where all octets lie one behind the other; nil when there are none.
    private func inOnePiece() throws(SystemError) -> Piece? {
        let parts = pieces.filter { $0.count > 0 }
        if parts.count <= 1 { return parts.first }
        var spool = MessageSpool()
        var failure: SystemError?
        forEachPart { part in
            guard failure == nil else { return }
            do throws(SystemError) { try spool.append(part) } catch { failure = error }
        }
        if let failure { throw failure }
        return try spool.finish().pieces.first
    }
}

/// The forms of a message for servers that do not take it as it is; each is made once.
final class EncodedForms: Sendable {
    fileprivate enum Form {
        /// Nothing can be done, or need be.
        case unchanged
        case encoded(OutgoingMessage)
        case obstacle(String)
    }

    private let forms = Mutex<[ClientContentDomain: Form]>([:])

    /// The message for servers that take `domain` only: with its content encoded, or with what stands in the way.
    func form(of message: OutgoingMessage, for domain: ClientContentDomain) async throws -> OutgoingMessage {
        if let known = forms.withLock({ $0[domain] }) { return message.in(known) }
        let form = try await offload { try message.form(for: domain) }
        forms.withLock { $0[domain] = form }
        return message.in(form)
    }
}

extension OutgoingMessage {
    fileprivate func form(for domain: ClientContentDomain) throws -> EncodedForms.Form {
        do {
            let original = signature?.content ?? content
            guard let encoded = try original.encoded(to: domain, isBinary: request.parameters.body == .binary) else {
                return .unchanged
            }
            let message = withEncoded(encoded)
            return .encoded(try signature?.signing.sign(message) ?? message)
        } catch let obstacle as TransferConversion.Obstacle {
            return .obstacle("\(obstacle)")
        }
    }

    fileprivate func `in`(_ form: EncodedForms.Form) -> OutgoingMessage {
        switch form {
        case .unchanged: return self
        case .encoded(let message): return message
        case .obstacle(let obstacle):
            var message = self
            message.obstacle = obstacle
            return message
        }
    }

    /// What is to be signed now, and sent later by somebody who cannot sign: in a form that nobody has to change on the
    /// way (RFC 6376 5.3). What others have signed stays as it is.
    func encodedForSignature() throws -> OutgoingMessage {
        guard survey.isEightBit || survey.isIrregular, !isSigned else { return self }
        return `in`(try form(for: .sevenBit))
    }

    private var isSigned: Bool {
        let header = content.header()
        return MessageStructure(fieldsOf: header.span).isSigned(header.span)
    }
}
