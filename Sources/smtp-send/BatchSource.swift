import CommandLineTool
import Delivery
import Glibc
import SMTP
import Unix

/// The messages of a batch SMTP file (RFC 2442), each with the envelope that it has there.
struct BatchSource {
    private let name: String
    private let piece: MessageContent.Piece
    private var place = 0
    private var count = 0

    /// Opens a file; `-` is standard input.
    init(_ name: String) throws {
        self.name = name
        if name != "-", Files.kind(name) == .file {
            let mapped = try SharedMappedFile(path: name)
            piece = .mapped(mapped, 0..<mapped.count)
            return
        }
        let file =
            name == "-"
            ? FileDescriptor(owning: dup(0), subject: "standard input") : try FileDescriptor.open(name, O_RDONLY)
        var spool = MessageSpool()
        var buffer: [UInt8] = []
        while try file.read(into: &buffer) > 0 {
            try spool.append(buffer.span)
            buffer.removeAll(keepingCapacity: true)
        }
        piece = try spool.finish().pieces.first ?? .bytes([])
    }

    /// The next message; nil at the end. After an error there are no more.
    mutating func next() throws -> OutgoingMessage? {
        guard let (file, content) = try read() else { return nil }
        count += 1
        let recipients = try file.envelope.recipients.map { recipient in
            guard let address = EnvelopeAddress(recipient.path) else {
                throw ToolFailure(.dataError, "\(name): \(recipient.path): is not an address: correct it in the file")
            }
            return address
        }
        var known: Set<EnvelopeAddress> = []
        let unique = recipients.filter { known.insert($0).inserted }
        return OutgoingMessage(
            name: "\(name):\(count)", content: content, reversePath: file.envelope.reversePath, recipients: unique,
            request: StatusRequest(file.envelope))
    }

    private mutating func read() throws -> (QueueFile, MessageContent)? {
        var outcome = Result<(file: QueueFile, end: Int)?, QueueFile.Problem>.success(nil)
        let start = place
        piece.read(0..<piece.count) { bytes in
            outcome = Result { () throws(QueueFile.Problem) in
                try QueueFile.next(in: bytes, from: start, arrival: SystemClock.now.seconds)
            }
        }
        switch outcome {
        case .success(nil): return nil
        case .success(let (file, end)?):
            place = end
            return (file, try MessageContent(file, in: piece))
        case .failure(let problem):
            place = piece.count
            throw ToolFailure(.dataError, "\(name): \(problem): correct it there")
        }
    }
}
