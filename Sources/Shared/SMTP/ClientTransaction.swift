import Bytes

/// One message for one connection: its envelope, and what the server must be told of its content.
@dynamicMemberLookup
package struct ClientTransaction: Sendable {
    /// Whether the content has 8-bit octets and the addresses others than ASCII is seen beside its parameters.
    package var envelope: OutgoingEnvelope
    package var survey: ClientMessageSurvey
    /// A server that does not offer DSN does not get the message when it asks for notifications (RFC 3461); else the
    /// parameters are left out.
    package var requiresStatus: Bool

    package init(_ envelope: OutgoingEnvelope, survey: ClientMessageSurvey, requiresStatus: Bool = false) {
        self.envelope = envelope
        self.survey = survey
        self.requiresStatus = requiresStatus
    }

    package subscript<Value>(dynamicMember member: KeyPath<OutgoingEnvelope, Value>) -> Value {
        envelope[keyPath: member]
    }

    /// RFC 3461: the sender asked for notifications, or for something in them.
    var asksForStatus: Bool {
        envelope.parameters.returned != nil || envelope.parameters.envelopeID != nil
            || envelope.recipients.contains { $0.parameters != RecipientParameters() }
    }

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
