import Bytes

/// One message for one connection: its envelope, and what the server must be told of its content.
@dynamicMemberLookup
package struct ClientTransaction: Sendable {
    /// Whether the content has 8-bit octets and the addresses others than ASCII is seen beside its parameters.
    package var envelope: OutgoingEnvelope
    package var survey: ClientMessageSurvey
    /// A server that does not offer DSN (RFC 3461) does not get the message; else it gets it without the parameters.
    package var requiresStatus: Bool
    /// The header has UTF-8 (RFC 6532).
    package var hasInternationalHeader: Bool
    /// Why its content was not encoded for a server that does not take it as it is, in words that complete "it cannot be
    /// encoded: ..."; nil when nobody has tried.
    package var obstacle: String?

    package init(
        _ envelope: OutgoingEnvelope, survey: ClientMessageSurvey, requiresStatus: Bool = false,
        hasInternationalHeader: Bool = false, obstacle: String? = nil
    ) {
        self.envelope = envelope
        self.survey = survey
        self.requiresStatus = requiresStatus
        self.hasInternationalHeader = hasInternationalHeader
        self.obstacle = obstacle
    }

    /// No recipient can be had without SMTPUTF8 (RFC 6531 3.2): because of the sender's address, or of a header that was
    /// handed over as international. One that came in without being declared goes on as it came, and a mailbox store
    /// (LMTP) gets what has come so far.
    func needsUTF8ForAll(_ dialect: ClientConfiguration.Dialect) -> Bool {
        let hasDeclaredHeader = hasInternationalHeader && envelope.parameters.smtpUTF8
        return !envelope.reversePath.isASCII || (hasDeclaredHeader && dialect == .smtp)
    }

    package subscript<Value>(dynamicMember member: KeyPath<OutgoingEnvelope, Value>) -> Value {
        envelope[keyPath: member]
    }

    /// What the content lacks, for a refusal.
    var advice: String { obstacle.map { "it cannot be encoded: \($0)" } ?? "encode it" }

    /// Why the envelope cannot be written as commands: a control character in a path would be a command of its own.
    func refusalOfPath(_ path: String, enhanced: String) -> ClientResult? {
        guard path.utf8.contains(where: { $0.isASCIIControl }) else { return nil }
        return ClientResult(
            outcome: .refused, enhanced: enhanced, text: "the address has a control character", cause: .message)
    }
}

/// How a message goes over the wire.
package enum ClientMessageForm: Equatable, Sendable {
    /// After DATA: CRLF line ends, dots stuffed, a final dot.
    case data
    /// After BDAT (RFC 3030): CRLF line ends, counted.
    case chunk
    /// After BDAT, as it is stored.
    case binaryChunk
}

/// What a server takes of a message's content (RFC 2045 2.7, 2.8).
package enum ClientContentDomain: Equatable, Sendable {
    case sevenBit
    case eightBit
}
