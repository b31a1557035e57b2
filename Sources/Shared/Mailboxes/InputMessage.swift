import Bytes
import Glibc
import Unix

/// One message of an input: where it was found, and what is known of it beside its bytes.
package struct InputMessage: Sendable {
    /// The operand that it came with; `-` for standard input.
    package let file: String
    /// Its place in the file, mailbox or stream, from 0.
    package let index: Int
    /// The mbox line before it, without line end.
    package let envelope: [UInt8]?
    /// Bytes of the whole message; more than were given when only the header was asked for.
    package let size: Int
    /// What the name of its file in a Maildir says; nil elsewhere.
    package let flags: MessageFlags?
    /// Told how far a large message was read, it lets go of that memory; nil when there is nothing to let go of.
    package var release: (@Sendable (Int) -> Void)?
}

/// Why an input, or one message of it, cannot be taken.
package struct InputProblem: Error, Equatable {
    package enum Kind: Sendable {
        /// It cannot be read: not there, no permission, a directory that is no Maildir.
        case unreadable
        /// Its bytes cannot be mail.
        case notMessage
    }

    /// The operand.
    package let file: String
    package let index: Int
    package let kind: Kind
    /// A phrase that follows the file's name.
    package let reason: String

    package init(file: String, index: Int = 0, kind: Kind, reason: String) {
        self.file = file
        self.index = index
        self.kind = kind
        self.reason = reason
    }
}

/// Takes the messages of inputs, one after another. With several workers each has a visitor of its own.
package protocol MessageVisitor: AnyObject {
    /// `bytes` begin with the first header field. Returns false when no more messages are wanted.
    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool
    func report(_ problem: InputProblem) throws
    /// A stretch of the input is through: what was written of it goes out now, in its order.
    func endStretch()
}

extension MessageVisitor {
    package func endStretch() {}
}

/// The names of inputs.
package enum InputNames {
    /// The names in a list: a file, or standard input for `-`, with `separator` after each name.
    package static func list(_ path: String, separator: UInt8) throws(SystemError) -> [String] {
        let bytes: [UInt8]
        if path == "-" {
            bytes = try FileDescriptor(owning: dup(0), subject: "standard input").readAll()
        } else {
            bytes = try Files.read(path)
        }
        return bytes.split(separator: separator).map { PathText.text(Array($0)) }
    }
}
