import Bytes
import Glibc
import SMTP
import Synchronization
import Unix

/// One message on its way into a queue, step by step, so that a committer can do each step for many messages:
/// `Queue.begin`, `write`, `end`, `synchronize`, `publish`, then `Queue.synchronize` once for all of them. Only after the last
/// one the message will survive a power loss; before `publish` nobody sees it.
///
/// Dropped before it is published, it leaves nothing. The steps block; they may run on any thread, one after another.
package final class QueueDelivery: Sendable {
    /// What the message is called in the queue.
    package let id: QueueID

    private struct State: ~Copyable {
        var file: FileDescriptor?
        var encoder = ClientDataEncoder()
        var buffer: [UInt8] = []
        /// Octets of a message that is not text.
        var binarySize: Int?
        /// Where the size of a message that is not text stands in the file.
        var placeOfSize = 0
        var isWhole = false
        var isPublished = false
    }

    private static let bufferLimit = 65_536
    private static let digitsOfSize = 12

    private let queue: Queue
    private let name: [UInt8]
    private let state: Mutex<State>

    init(_ queue: Queue, _ envelope: QueuedEnvelope, _ id: QueueID) throws(SystemError) {
        self.queue = queue
        self.id = id
        name = Queue.messageName(id)
        let file = try queue.temporary.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        var initial = State(file: file)
        initial.buffer = QueueFile.head(envelope, id)
        if envelope.parameters.body == .binary {
            initial.binarySize = 0
            initial.buffer += Array("BDAT ".utf8)
            initial.placeOfSize = initial.buffer.count
            initial.buffer += Array("\(QueueDelivery.padded(0)) LAST\r\n".utf8)
        } else {
            initial.buffer += Array("DATA\r\n".utf8)
        }
        state = Mutex(initial)
    }

    deinit {
        let isPublished = state.withLock { $0.isPublished }
        if !isPublished { try? queue.temporary.remove(name) }
    }

    /// Appends to the message: its bytes as they are, with any line ends. In a message that is not BINARYMIME, every
    /// line end becomes CRLF, and a CR or LF alone does not remain.
    package func write(_ bytes: Span<UInt8>) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil else { throw ended }
            if let size = state.binarySize {
                state.buffer.append(span: bytes)
                state.binarySize = size + bytes.count
            } else {
                state.encoder.encode(bytes, into: &state.buffer)
            }
            if state.buffer.count >= QueueDelivery.bufferLimit {
                try state.file?.writeAll(state.buffer)
                state.buffer.removeAll(keepingCapacity: true)
            }
        }
    }

    /// Ends the message, and lets the kernel begin to write it to the disk, ahead of `synchronize`.
    package func end() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil, !state.isWhole else { throw ended }
            state.isWhole = true
            if state.binarySize == nil { state.encoder.finish(into: &state.buffer) }
            state.buffer += Array("QUIT\r\n".utf8)
            try state.file?.writeAll(state.buffer)
            state.buffer = []
            if let size = state.binarySize {
                try state.file?.seek(to: state.placeOfSize)
                try state.file?.writeAll(Array(QueueDelivery.padded(size).utf8))
            }
            state.file?.beginSynchronizing()
        }
    }

    /// Waits until the message is on the disk.
    package func synchronize() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil, state.isWhole else { throw ended }
            try state.file?.synchronize()
        }
    }

    /// Gives the message its name: from here on whoever runs the queue sees it.
    package func publish() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard let file = state.file.take() else { throw ended }
            try file.close()
            try queue.temporary.rename(name, to: queue.directory, as: name)
            state.isPublished = true
        }
    }

    /// Gives the message up; nothing of it remains that was not published.
    package func abort() {
        state.withLock { state in
            guard !state.isPublished else { return }
            state.file = nil
            try? queue.temporary.remove(name)
            state.isPublished = true
        }
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, digitsOfSize - digits.utf8.count)) + digits
    }

    private var ended: SystemError {
        SystemError(code: EBADF, operation: "write to", subject: "\(queue.temporary.path)/\(name.text)")
    }
}
