/// Who a message is from and for, as SMTP says it.
package struct Envelope: Equatable, Sendable {
    package var reversePath: Path
    package var parameters = MailParameters()
    /// In the order given.
    package var recipients: [EnvelopeRecipient] = []
    /// The size that the client declared, in bytes.
    package var declaredSize: Int?

    package init(reversePath: Path) { self.reversePath = reversePath }
}

/// A recipient with what its sender wants to be told of it.
package struct EnvelopeRecipient: Equatable, Sendable, CustomStringConvertible {
    package var path: Path
    package var parameters = RecipientParameters()

    package init(_ path: Path) { self.path = path }

    package var description: String { path.description }
}
