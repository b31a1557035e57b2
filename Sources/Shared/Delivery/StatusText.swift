import Bytes

/// Words for people about enhanced status codes (RFC 3463), and text made fit for a line.
enum StatusText {
    /// What a failure with this code means and what the sender may do; nil when there is nothing to add.
    static func advice(_ status: String) -> String? {
        let numbers = status.split(separator: ".").dropFirst().compactMap { Int($0) }
        guard numbers.count == 2 else { return nil }
        return switch (numbers[0], numbers[1]) {
        case (1, 1), (1, 3), (1, 6): "There is no such mailbox: check the spelling of the address."
        case (1, 2), (4, 4): "The domain cannot be found or has no mail server: check what stands behind the @."
        case (1, 10): "The domain says that it takes no mail."
        case (1, 7), (1, 8): "The server does not accept your own address as a sender."
        case (2, 1): "The mailbox is closed."
        case (2, 2): "The mailbox is full: its owner has to make room."
        case (2, 3), (3, 4): "The message is too large for this recipient: send a smaller one."
        case (3, 1): "The other mail system has no room."
        case (4, 1), (4, 2), (4, 3), (4, 7): "The other mail system could not be reached."
        case (4, 6): "The message went in a circle."
        case (6, _): "The other mail system cannot take a message of this kind."
        case (7, _): "The other mail system refuses it by its own rules; its words above may say why."
        default: nil
        }
    }

    /// On one line: control characters become spaces, and it is cut at 900 octets.
    static func line(_ text: String) -> String {
        var bytes = text.utf8.prefix(900).map { $0.isASCIIControl ? ASCII.space : $0 }
        // Not within a character.
        while let last = bytes.last, last >= 0x80, String(validating: bytes, as: UTF8.self) == nil {
            bytes.removeLast()
        }
        return bytes.text
    }
}
