import Bytes
import SMTP
import Unix

/// The bytes of a message: in memory, in a mapped file, or both one after the other.
struct MessageContent: Sendable {
    enum Piece: Sendable {
        case bytes([UInt8])
        case mapped(SharedMappedFile, Range<Int>)

        private static let releaseStep = 4 << 20

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .mapped(_, let range): range.count
            }
        }

        /// A part of the piece, which `range` must lie within.
        func part(_ range: Range<Int>) -> Piece {
            switch self {
            case .bytes(let bytes): .bytes(bytes.span.array(range))
            case .mapped(let mapping, let whole):
                .mapped(mapping, (whole.lowerBound + range.lowerBound)..<(whole.lowerBound + range.upperBound))
            }
        }

        /// Calls `body` with a part of the piece; the range is cut to the piece.
        func read(_ range: Range<Int>, _ body: (Span<UInt8>) -> Void) {
            let range = range.clamped(to: 0..<count)
            switch self {
            case .bytes(let bytes): body(bytes.span.extracting(range))
            case .mapped(let mapping, let whole):
                let lower = whole.lowerBound + range.lowerBound
                Self.read(mapping.file, lower..<(lower + range.count), body)
                // A large file is read front to back: what was read need not stay in memory.
                if range.upperBound % Self.releaseStep == 0 { mapping.file.release(upTo: lower + range.count) }
            }
        }

        private static func read(_ file: borrowing MappedFile, _ range: Range<Int>, _ body: (Span<UInt8>) -> Void) {
            body(file.bytes.extracting(range))
        }
    }

    var pieces: [Piece]

    init(_ bytes: [UInt8]) { pieces = [.bytes(bytes)] }
    init(pieces: [Piece]) { self.pieces = pieces }

    /// The stored size in octets.
    var count: Int { pieces.reduce(0) { $0 + $1.count } }

    /// Calls `body` with all bytes, a part of at most 64 KiB at a time.
    func forEachPart(_ body: (Span<UInt8>) -> Void) {
        for piece in pieces {
            for start in stride(from: 0, to: piece.count, by: 65_536) { piece.read(start..<(start + 65_536), body) }
        }
    }

    /// What a server must be told of the message.
    var survey: ClientMessageSurvey {
        var survey = ClientMessageSurvey()
        forEachPart { survey.add($0) }
        return survey
    }
}

/// A message on its way: its bytes, its envelope, and the name that results speak of.
struct OutgoingMessage: Sendable {
    /// The file's name as it was given; `-` for standard input.
    let name: String
    let content: MessageContent
    /// Without angle brackets; empty for the null reverse-path.
    let reversePath: String
    let recipients: [EnvelopeAddress]
    /// What is asked of the server beside (RFC 3461).
    let request: StatusRequest
    let survey: ClientMessageSurvey

    init(
        name: String, content: MessageContent, reversePath: String, recipients: [EnvelopeAddress],
        request: StatusRequest = StatusRequest()
    ) {
        self.name = name
        self.content = content
        self.reversePath = reversePath
        self.recipients = recipients
        self.request = request
        survey = content.survey
    }

    /// The same envelope for other bytes.
    func with(_ content: MessageContent) -> OutgoingMessage {
        OutgoingMessage(
            name: name, content: content, reversePath: reversePath, recipients: recipients, request: request)
    }

    /// The transaction for some of the recipients.
    func transaction(_ recipients: [EnvelopeAddress]) -> ClientTransaction {
        ClientTransaction(
            reversePath: reversePath, parameters: request.parameters,
            recipients: recipients.map { .init(path: $0.path, parameters: request.parameters(for: $0)) },
            survey: survey,
            requiresStatus: request.isRequired)
    }
}

/// What is asked of servers beside taking the message: notifications (RFC 3461), encryption (RFC 8689).
struct StatusRequest: Sendable {
    var parameters = MailParameters()
    /// For every recipient that has none of its own.
    var recipientParameters = RecipientParameters()
    var recipientParametersByAddress: [EnvelopeAddress: RecipientParameters] = [:]
    /// A server that does not offer DSN is not given the message.
    var isRequired = false

    func parameters(for recipient: EnvelopeAddress) -> RecipientParameters {
        recipientParametersByAddress[recipient] ?? recipientParameters
    }
}
