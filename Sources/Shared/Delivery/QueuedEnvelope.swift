import SMTP

/// Who a queued message is from and for, when it came, and what is to be told about it.
package struct QueuedEnvelope: Equatable, Sendable {
    package struct Recipient: Equatable, Sendable {
        /// The forward-path without angle brackets.
        package var path: String
        package var parameters: RecipientParameters

        package init(path: String, parameters: RecipientParameters = RecipientParameters()) {
            self.path = path
            self.parameters = parameters
        }
    }

    /// Without angle brackets; empty for the null reverse-path.
    package var reversePath: String
    package var parameters: MailParameters
    package var recipients: [Recipient]
    /// When responsibility was taken, in seconds since 1970.
    package var arrival: Int

    package init(
        reversePath: String, parameters: MailParameters = MailParameters(), recipients: [Recipient], arrival: Int
    ) {
        self.reversePath = reversePath
        self.parameters = parameters
        self.recipients = recipients
        self.arrival = arrival
    }
}
