import SMTP

/// Where a recipient's mail goes.
package enum DeliveryTarget: Hashable, Sendable {
    case maildir(String)
    case mbox(String)
    /// A shell command that gets the message on its standard input.
    case program(String)
    /// Another address, reached through the queue.
    case forward(Path)
}

/// One delivery of a message: a recipient may have many (aliases), and many recipients may share one.
package struct LocalDelivery: Hashable, Sendable {
    package let target: DeliveryTarget
    /// Filters that this delivery alone goes through, as `--filter` words them.
    package var filters: [String] = []
    /// Whose delivery it is; named in Delivered-To, and to a program.
    package let recipient: Path
    /// The reverse-path that takes the sender's place: whoever keeps a list gets its bounces (RFC 5321 3.9.2).
    package var sender: Path?

    package init(_ target: DeliveryTarget, recipient: Path) {
        self.target = target
        self.recipient = recipient
    }
}
