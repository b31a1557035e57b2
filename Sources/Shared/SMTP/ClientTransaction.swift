import Bytes

/// One message for one connection: its envelope, and what the server must be told of its content.
package struct ClientTransaction: Sendable {
    package struct Recipient: Equatable, Sendable {
        /// The forward-path without angle brackets.
        package var path: String
        package var parameters: RecipientParameters

        package init(path: String, parameters: RecipientParameters = RecipientParameters()) {
            self.path = path
            self.parameters = parameters
        }
    }

    /// The reverse-path without angle brackets; empty for the null reverse-path.
    package var reversePath: String
    /// What is asked for. Whether the content has 8-bit octets and the addresses others than ASCII is seen beside it.
    package var parameters: MailParameters
    /// In the order of their results.
    package var recipients: [Recipient]
    package var survey: ClientMessageSurvey
    /// A server that does not offer DSN does not get the message when it asks for notifications (RFC 3461); else the
    /// parameters are left out.
    package var requiresStatus: Bool

    package init(
        reversePath: String, parameters: MailParameters = MailParameters(), recipients: [Recipient],
        survey: ClientMessageSurvey, requiresStatus: Bool = false
    ) {
        self.reversePath = reversePath
        self.parameters = parameters
        self.recipients = recipients
        self.survey = survey
        self.requiresStatus = requiresStatus
    }

    /// RFC 6531: an address beyond ASCII needs a server that knows such addresses.
    package var needsUTF8: Bool {
        parameters.smtpUTF8 || reversePath.utf8.contains { $0 >= 0x80 }
            || recipients.contains { $0.path.utf8.contains { $0 >= 0x80 } }
    }

    /// RFC 3461: the sender asked for notifications, or for something in them.
    var asksForStatus: Bool {
        parameters.returned != nil || parameters.envelopeID != nil
            || recipients.contains { $0.parameters != RecipientParameters() }
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
