import Bytes
import Unix

/// Why a mailbox cannot be read.
package enum MailboxError: Error, Equatable {
    case system(SystemError)
    /// No mbox: the first bytes of what stands where its first From_ line would be.
    case notMailbox(firstBytes: [UInt8])
    /// A signal asked to stop (`Interruption`).
    case interrupted

    /// The first bytes of something that is no mbox, for people: printable ASCII as it is, others as `\xNN`.
    package static func describe(_ bytes: [UInt8]) -> String {
        var text = ""
        for byte in bytes.prefix(16) {
            if ASCII.space..<ASCII.delete ~= byte, byte != ASCII.quote, byte != ASCII.backslash {
                text += String(UnicodeScalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += "\\x" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return "\"\(text)\""
    }
}
