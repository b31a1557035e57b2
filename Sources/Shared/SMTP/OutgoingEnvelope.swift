import Bytes

/// Who a message on its way to another server is from and for, with what is asked for.
package struct OutgoingEnvelope: Equatable, Sendable {
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
    package var parameters: MailParameters
    /// In the order of their results.
    package var recipients: [Recipient]

    package init(reversePath: String, parameters: MailParameters = MailParameters(), recipients: [Recipient]) {
        self.reversePath = reversePath
        self.parameters = parameters
        self.recipients = recipients
    }

    /// RFC 6531: an address beyond ASCII needs a server that knows such addresses.
    package var hasInternationalAddress: Bool {
        !reversePath.isASCII || recipients.contains { !$0.path.isASCII }
    }
}
