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
        /// The server said, before a message was offered, that it takes no mail: others may (RFC 7504 3).
        case host
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
