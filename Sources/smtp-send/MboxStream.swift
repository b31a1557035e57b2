import Bytes
import CommandLineTool
import Delivery
import Mailboxes
import Unix

/// The messages of an mbox, one after the other, for couriers that take them at their own pace: each is whole when it is
/// given out, and quoting is undone.
struct MboxStream: ~Copyable {
    /// So much of a file is looked at to tell its variant, in octets.
    private static let look = 256 << 10

    let name: String
    private var reader: MboxReader
    private(set) var messageCount = 0

    /// What results call the latest message: the mailbox's name and the message's number in it, from 1.
    var messageName: String { "\(name):\(messageCount)" }

    /// Reads a file from its start.
    init(file: consuming FileDescriptor, name: String) throws(SystemError) {
        let start = try file.read(at: 0, atMost: Self.look)
        let format = MboxSurvey.format(ofStart: start, isWhole: start.count < Self.look)
        self.init(name, try MboxReader(file, format: format))
    }

    /// Reads on where `start` was read from a pipe.
    init(pipe: consuming FileDescriptor, name: String, start: [UInt8]) throws(SystemError) {
        let format = MboxSurvey.format(ofStart: start, isWhole: false)
        self.init(name, try MboxReader(pipe, format: format, start: start))
    }

    private init(_ name: String, _ reader: consuming MboxReader) {
        self.name = name
        self.reader = reader
    }

    /// The next message; nil at the end.
    mutating func next() throws -> MessageContent? {
        var spool = MessageSpool()
        while let event = try event() {
            switch event {
            case .begin: messageCount += 1
            case .content(let range):
                let buffer = reader.buffer
                try spool.append(buffer.span.extracting(range))
            case .end: return try spool.finish()
            case .look: break
            }
        }
        return nil
    }

    private mutating func event() throws -> MboxEvent? {
        do throws(MailboxError) {
            return try reader.next()
        } catch {
            switch error {
            case .system(let error): throw error
            default: throw ToolFailure(.dataError, "\(name): is not an mbox: it does not begin with a From_ line")
            }
        }
    }
}
