import Bytes

/// What a client of the spamd protocol asks for (version 1.5 of SpamAssassin's spamd/PROTOCOL).
package enum SpamdMethod: String, Sendable, CaseIterable {
    case ping = "PING"
    case check = "CHECK"
    case symbols = "SYMBOLS"
    case report = "REPORT"
    case reportIfSpam = "REPORT_IFSPAM"
    case process = "PROCESS"
    case headers = "HEADERS"
    case tell = "TELL"
    case skip = "SKIP"
}

/// A whole request.
package struct SpamdRequest: Equatable, Sendable {
    /// What TELL wants done with the message.
    package struct Telling: Equatable, Sendable {
        package enum Kind: Sendable { case spam, ham }
        /// Nil: the message is only to be forgotten.
        package var kind: Kind?
        /// `Set: local`: learn it.
        package var setsLocal = false
        /// `Remove: local`: forget it.
        package var removesLocal = false
    }

    package var method: SpamdMethod
    /// The client's version: 15 for 1.5.
    package var version = 15
    package var user: String?
    package var telling = Telling()
    package var isCompressed = false
    /// As it was sent, compressed when `isCompressed`.
    package var message: [UInt8] = []

    package init(_ method: SpamdMethod) { self.method = method }
}

/// An answer that is an error: the number and name of sysexits, and what is wrong.
package struct SpamdFailure: Error, Equatable, Sendable {
    package let code: Int
    package let reason: String

    package init(code: Int, reason: String) {
        self.code = code
        self.reason = reason
    }

    /// 76: what was sent is not understood.
    package static func badHeader(_ reason: String) -> SpamdFailure {
        SpamdFailure(code: 76, reason: "Bad header line: \(reason)")
    }

    /// The first line of the answer.
    package var line: String { "SPAMD/1.0 \(code) \(reason)\r\n" }
}

/// Reads one request from a connection, piece by piece.
///
/// Lines may end with LF alone, and names of fields may have any case. Without a Content-length the message goes to the
/// end of the stream.
package struct SpamdRequestReader: Sendable {
    package enum Step: Equatable, Sendable {
        case needInput
        case request(SpamdRequest)
        case failure(SpamdFailure)
    }

    /// The most that the request line may have.
    private static let lineLimit = 8_192
    /// The most that the fields may have together.
    private static let headerLimit = 65_536

    /// The most that a message may have, in bytes as they are sent.
    private let messageLimit: Int
    private var request: SpamdRequest?
    private var headerSize = 0
    private var length: Int?
    private var isInMessage = false
    private var message: [UInt8] = []

    package init(messageLimit: Int) { self.messageLimit = messageLimit }

    /// Takes what has come in; returns how much of it was used, and what to do. `isEnd`: nothing more will come.
    package mutating func next(_ input: Span<UInt8>, isEnd: Bool) -> (consumed: Int, step: Step) {
        var place = 0
        while !isInMessage {
            guard let end = input.firstIndex(of: ASCII.lf, from: place) else {
                return (place, unfinished(input.count - place, isEnd: isEnd))
            }
            let line = input.line(at: place)
            headerSize += end + 1 - place
            let text = input.array(line.content)
            place = line.next
            if let failure = take(text) { return (place, .failure(failure)) }
        }
        guard let request else { return (place, .needInput) }
        message.append(span: input.extracting(place..<input.count))
        return (input.count, messageStep(request, isEnd: isEnd))
    }

    private func unfinished(_ rest: Int, isEnd: Bool) -> Step {
        if isEnd {
            let reason = request == nil ? "(closed before headers)" : "(EOF during headers)"
            return .failure(.badHeader(reason))
        }
        let limit = request == nil ? Self.lineLimit : Self.headerLimit - headerSize
        return rest > limit ? .failure(.badHeader("(header too long)")) : .needInput
    }

    /// Takes a line of the header.
    private mutating func take(_ line: [UInt8]) -> SpamdFailure? {
        guard request != nil else {
            guard line.count <= Self.lineLimit else { return .badHeader("(request line too long)") }
            return begin(line)
        }
        if headerSize > Self.headerLimit { return .badHeader("(header too long)") }
        if line.isEmpty {
            isInMessage = true
            if let length, length > messageLimit { return .badHeader("(message larger than \(messageLimit) bytes)") }
            return checked()
        }
        guard let colon = line.firstIndex(of: ASCII.colon), colon > 0,
            line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return .badHeader("(header not in 'Name: value' format)") }
        let value = line[(colon + 1)...].split(whereSeparator: \.isSpaceOrTab).map(\.text).joined(separator: " ")
        return take(field: line[..<colon].map(\.asciiLowercased).text, value)
    }

    /// `CHECK SPAMC/1.5`
    private mutating func begin(_ line: [UInt8]) -> SpamdFailure? {
        let words = line.split(whereSeparator: \.isSpaceOrTab).map(\.text)
        guard words.count == 2, let method = SpamdMethod(rawValue: words[0]), words[1].hasPrefix("SPAMC/") else {
            return .badHeader(line.prefix(200).filter { $0 >= 0x20 && $0 < 0x7F }.text)
        }
        let digits = words[1].dropFirst(6).split(separator: ".", omittingEmptySubsequences: false)
        guard digits.count == 2, let major = Int(digits[0]), let minor = Int(digits[1]), (0..<100).contains(major),
            (0..<10).contains(minor)
        else { return .badHeader(line.prefix(200).filter { $0 >= 0x20 && $0 < 0x7F }.text) }
        request = SpamdRequest(method)
        request?.version = major * 10 + minor
        // Before version 1.5 a request without a message is one line.
        isInMessage = major * 10 + minor < 15 && (method == .ping || method == .skip)
        return nil
    }

    private mutating func take(field name: String, _ value: String) -> SpamdFailure? {
        switch name {
        case "content-length":
            guard !value.isEmpty, value.utf8.count < 18, value.utf8.allSatisfy(\.isASCIIDigit), let number = Int(value)
            else { return .badHeader("(Content-Length contains non-numeric bytes)") }
            if let length, length != number { return .badHeader("(Content-Length given twice)") }
            length = number
        case "user":
            guard !value.utf8.contains(where: \.isASCIIControl) else {
                return .badHeader("(User header contains control chars)")
            }
            request?.user = value
        case "compress":
            guard value.asciiLowercased == "zlib" else {
                return .badHeader("(compression type not supported: \(value))")
            }
            request?.isCompressed = true
        case "message-class":
            switch value.asciiLowercased {
            case "spam": request?.telling.kind = .spam
            case "ham", "nonspam": request?.telling.kind = .ham
            default: return .badHeader("(unknown Message-class: \(value))")
            }
        case "set", "remove": takeActions(value, isSet: name == "set")
        default: break
        }
        return nil
    }

    /// `local, remote`; nothing is told to others from here.
    private mutating func takeActions(_ value: String, isSet: Bool) {
        let words = value.asciiLowercased.split { $0 == "," || $0 == " " }
        guard words.contains("local") else { return }
        if isSet { request?.telling.setsLocal = true } else { request?.telling.removesLocal = true }
    }

    private func checked() -> SpamdFailure? {
        guard let request, request.method == .tell, request.telling.setsLocal else { return nil }
        if request.telling.removesLocal {
            return .badHeader("Unable to set local and remove local in the same operation.")
        }
        return request.telling.kind == nil ? .badHeader("(TELL with Set needs a Message-class)") : nil
    }

    private mutating func messageStep(_ request: SpamdRequest, isEnd: Bool) -> Step {
        var request = request
        if request.method == .ping || request.method == .skip { return .request(request) }
        if message.count > messageLimit {
            return .failure(.badHeader("(message larger than \(messageLimit) bytes)"))
        }
        if let length {
            if message.count < length, !isEnd { return .needInput }
            guard message.count == length else {
                return .failure(
                    .badHeader("(Content-Length mismatch: Expected \(length) bytes, got \(message.count) bytes)"))
            }
        } else if !isEnd {
            return .needInput
        }
        request.message = message
        message = []
        return .request(request)
    }
}
