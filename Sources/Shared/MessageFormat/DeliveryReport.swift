import Bytes

/// What the machine-readable part of a report says: delivery status (RFC 3464), disposition (RFC 8098).
package struct DeliveryReport: Equatable, Sendable {
    /// What became of the message for one recipient.
    package struct Recipient: Equatable, Sendable {
        /// Final-Recipient, else Original-Recipient, without its address type.
        package var address: String?
        /// `failed`, `delayed`, `delivered`, `relayed`, `expanded`; of a disposition: `displayed`, `deleted` and so on.
        package var action: String?
        /// The enhanced status code (RFC 3463).
        package var status: String?
        /// What the other server said, without the type.
        package var diagnostic: String?
        package var server: String?
    }

    package private(set) var recipients: [Recipient] = []

    /// Reads the content of a message/delivery-status, message/global-delivery-status or
    /// message/disposition-notification part.
    package init(_ content: Span<UInt8>) {
        var place = 0
        while place < content.count {
            var scanner = HeaderScanner()
            let end = scanner.scan(content, from: place, limit: content.count) { _ in false }
            if let recipient = DeliveryReport.recipient(scanner.fields, content) { recipients.append(recipient) }
            guard case .emptyLine(let next) = end, next > place else { return }
            place = next
        }
    }

    private static func recipient(_ fields: [HeaderField], _ content: Span<UInt8>) -> Recipient? {
        var recipient = Recipient()
        var original: String?
        for field in fields {
            let value = field.text(in: content)
            if field.isNamed("Final-Recipient", in: content) {
                recipient.address = withoutType(value)
            } else if field.isNamed("Original-Recipient", in: content) {
                original = withoutType(value)
            } else if field.isNamed("Action", in: content) {
                recipient.action = word(value)
            } else if field.isNamed("Status", in: content) {
                recipient.status = word(value)
            } else if field.isNamed("Diagnostic-Code", in: content) {
                recipient.diagnostic = withoutType(value)
            } else if field.isNamed("Remote-MTA", in: content) {
                recipient.server = withoutType(value)
            } else if field.isNamed("Disposition", in: content) {
                recipient.action = withoutType(value).map { word($0) } ?? nil
            }
        }
        recipient.address = recipient.address ?? original
        return recipient.address == nil && recipient.action == nil ? nil : recipient
    }

    /// What follows the first semicolon: `rfc822; bob@example.net`.
    private static func withoutType(_ value: String) -> String? {
        let bytes = Array(value.utf8)
        let rest = bytes.firstIndex(of: ASCII.semicolon).map { bytes[($0 + 1)...] } ?? bytes[...]
        let trimmed = rest.drop { $0.isMailWhitespace }
        return trimmed.isEmpty ? nil : trimmed.text
    }

    /// The first word, in lower case, without a modifier or a comment behind it.
    private static func word(_ value: String) -> String? {
        let word = value.utf8.prefix { !$0.isMailWhitespace && $0 != ASCII.openParenthesis && $0 != ASCII.slash }
        return word.isEmpty ? nil : word.map(\.asciiLowercased).text
    }
}
