import Bytes

/// What became of one recipient, or of a session that failed before it came to one.
package struct ClientResult: Error, Equatable {
    package enum Outcome: String, Sendable {
        /// The server took responsibility (2yz at the final dot).
        case accepted
        /// A permanent no: trying again changes nothing.
        case refused
        /// Not now: the message is to be tried again.
        case temporary
    }

    /// Where the outcome comes from.
    package enum Cause: Sendable {
        /// The server said so.
        case reply
        /// The connection did not come about, broke, or was silent for too long.
        case connection
        /// The message went out whole, but the answer to the final dot never came: the server may have it.
        case answerLost
        /// The server does not speak SMTP.
        case protocolViolation
        /// No encryption, or not with the right peer.
        case tls
        /// The server did not take the credentials, or they could not be shown to it.
        case authentication
        /// The message cannot be sent to this server: its size, its octets or its addresses.
        case message
        /// The domain does not exist, or takes no mail.
        case domain
    }

    package var outcome: Outcome
    /// The server's reply code; nil when there was none.
    package var code: Int?
    /// The enhanced status code (RFC 3463), the server's or ours: `5.1.1`.
    package var enhanced: String?
    /// The server's words or ours; lines are separated by LF.
    package var text: String
    package var cause: Cause

    package init(outcome: Outcome, code: Int? = nil, enhanced: String?, text: String, cause: Cause) {
        self.outcome = outcome
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.cause = cause
    }
}

/// One message for one connection: its envelope, and what the server must be told of its content.
package struct ClientTransaction: Sendable {
    /// The reverse-path without angle brackets; empty for the null reverse-path.
    package var reversePath: String
    /// The forward-paths without angle brackets, in the order of their results.
    package var recipients: [String]
    package var survey: ClientMessageSurvey

    package init(reversePath: String, recipients: [String], survey: ClientMessageSurvey) {
        self.reversePath = reversePath
        self.recipients = recipients
        self.survey = survey
    }

    /// RFC 6531: an address beyond ASCII needs a server that knows such addresses.
    package var needsUTF8: Bool {
        reversePath.utf8.contains { $0 >= 0x80 } || recipients.contains { $0.utf8.contains { $0 >= 0x80 } }
    }

    /// Why the envelope cannot be written as commands: a control character in a path would be a command of its own.
    func refusalOfPath(_ path: String, enhanced: String) -> ClientResult? {
        guard path.utf8.contains(where: { $0.isASCIIControl }) else { return nil }
        return ClientResult(
            outcome: .refused, enhanced: enhanced, text: "the address has a control character", cause: .message)
    }
}
