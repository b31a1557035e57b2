import Bytes
import CommandLineTool
import Delivery
import Mailboxes
import Unix

/// The messages of an mbox that comes through a descriptor, one after the other; mboxrd's quoting is undone.
struct MboxStream: ~Copyable {
    private static let step = 65_536

    let name: String
    private let file: FileDescriptor
    private var buffer: [UInt8]
    private var scanner = MboxScanner(format: .mboxrd)
    private var atEnd = false
    private(set) var messageCount = 0

    /// What results call the latest message: the mailbox's name and the message's number in it, from 1.
    var messageName: String { "\(name):\(messageCount)" }

    /// `start` was already read from `file`.
    init(name: String, file: consuming FileDescriptor, start: [UInt8]) {
        self.name = name
        self.file = file
        buffer = start
    }

    /// The next message; nil at the end.
    mutating func next() throws -> MessageContent? {
        var spool = MessageSpool()
        while true {
            switch try event() {
            case .begin: messageCount += 1
            case .content(let range): try spool.append(buffer.span.extracting(range))
            case .end: return try spool.finish()
            // A message is collected whole anyway, so its Content-Length is proved by reading on.
            case .look: scanner.waitForContent()
            case nil:
                if atEnd { return nil }
                buffer.removeFirst(scanner.consumed)
                scanner.dropConsumed()
                atEnd = try file.read(into: &buffer, atMost: max(Self.step, buffer.count)) == 0
            }
        }
    }

    private mutating func event() throws(ToolFailure) -> MboxEvent? {
        let bytes = buffer
        do throws(MboxError) {
            return try scanner.next(in: bytes.span, isFinal: atEnd)
        } catch {
            throw ToolFailure(.dataError, "\(name): is not an mbox: it does not begin with a From_ line")
        }
    }
}
