/// Who a message is from and for, as SMTP says it.
package struct Envelope: Equatable, Sendable {
    package var reversePath: Path
    /// In the order given.
    package var recipients: [Path] = []
    /// The client declared `BODY=8BITMIME`.
    package var is8Bit = false
    /// The size that the client declared, in bytes.
    package var declaredSize: Int?

    package init(reversePath: Path) { self.reversePath = reversePath }
}
