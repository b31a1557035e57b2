import Bytes
import Glibc
import Mailboxes
import OpenSSL
import POP3
import Unix

/// The messages of an mbox: where they stand, what they measure, and ids made of their content.
///
/// An id is the digest of the From_ line and the message without the header fields in which mail programs note what was
/// read, so that it stays the same while those change. Of messages that are the same in all of that the second has its
/// number behind it.
enum MboxListing {
    struct Message: Sendable {
        /// The whole entry, from its From_ line to the next one or the end.
        let start: Int
        var end: Int
        /// The message without the From_ line and the blank line that belongs to the mailbox.
        var content: Range<Int>
        var octets = 0
        /// The digest of the message, hexadecimal.
        var digest: [UInt8] = []
        /// Which of the messages with this digest it is, counted from 1.
        var number = 1

        var id: [UInt8] { number == 1 ? digest : digest + Array("-\(number)".utf8) }
    }

    static func table(_ messages: [Message]) -> MaildropTable {
        var table = MaildropTable()
        table.reserveCapacity(messages.count)
        for message in messages { table.append(octets: message.octets, uniqueID: message.id) }
        return table
    }

    /// Reads a mailbox from its start. A first message that holds a mail program's own data is left out, unless
    /// `includingInternal`.
    static func read(
        _ file: consuming FileDescriptor, includingInternal: Bool = false
    ) throws(SystemError) -> [Message] {
        let path = file.subject
        try file.seek(to: 0)
        let size = Int(try file.status().st_size)
        var messages: [Message] = []
        var isFirstInternal = false
        var reader = try MboxReader(file, format: .mboxcl)
        var digest = MessageDigest()
        do throws(MailboxError) {
            while let event = try reader.next() {
                switch event {
                case .begin(let line, let offset):
                    if let last = messages.indices.last { messages[last].end = offset }
                    let start = offset + lineLength(reader.buffer, line)
                    messages.append(Message(start: offset, end: size, content: start..<start))
                    digest = MessageDigest(fromLine: reader.buffer[line])
                case .content(let range):
                    digest.add(reader.buffer.span.extracting(range))
                case .end:
                    guard let last = messages.indices.last else { continue }
                    let start = messages[last].content.lowerBound
                    messages[last].content = start..<start + digest.count
                    messages[last].octets = digest.octets
                    messages[last].digest = digest.finish()
                    if last == 0, digest.isInternal { isFirstInternal = true }
                case .look: break
                }
            }
        } catch {
            switch error {
            case .system(let error): throw error
            case .notMailbox: throw SystemError(code: EINVAL, operation: "find messages in", subject: path)
            case .interrupted: throw SystemError(code: EINTR, operation: "read", subject: path)
            }
        }
        if isFirstInternal, !includingInternal { messages.removeFirst() }
        number(&messages)
        return messages
    }

    /// The digest of a message as it stands in the file now.
    static func digest(of message: Message, in file: borrowing FileDescriptor) throws(SystemError) -> [UInt8] {
        let line = try file.read(at: message.start, atMost: message.content.lowerBound - message.start)
        var digest = MessageDigest(fromLine: line[...].trimmingLineEnd)
        var place = message.content.lowerBound
        while place < message.content.upperBound {
            let piece = try file.read(at: place, atMost: min(262_144, message.content.upperBound - place))
            if piece.isEmpty { break }
            digest.add(piece.span)
            place += piece.count
        }
        return digest.finish()
    }

    /// The length of a From_ line with its line end.
    private static func lineLength(_ buffer: [UInt8], _ line: Range<Int>) -> Int {
        var end = line.upperBound
        if end + 1 < buffer.count, buffer[end] == ASCII.cr, buffer[end + 1] == ASCII.lf {
            end += 2
        } else if end < buffer.count, buffer[end] == ASCII.lf {
            end += 1
        }
        return end - line.lowerBound
    }

    /// Puts a number behind the id of each message whose id an earlier one has.
    private static func number(_ messages: inout [Message]) {
        var counts: [[UInt8]: Int] = [:]
        for index in messages.indices {
            let count = counts[messages[index].digest, default: 0] + 1
            counts[messages[index].digest] = count
            if count > 1 { messages[index].number = count }
        }
    }
}

/// The digest and the size of a message of an mbox, fed piece by piece.
private struct MessageDigest: ~Copyable {
    /// Fields that change while the message stays the same.
    private static let notes: Set<String> = [
        "status", "x-status", "x-uid", "x-uidl", "x-keywords", "x-imap", "x-imapbase", "content-length", "lines",
    ]
    /// A header longer than this is taken as it is.
    private static let headerLimit = 262_144

    private(set) var count = 0
    private(set) var isInternal = false
    private var size = MessageSize()
    private var hash: Digest?
    /// Nil behind the header.
    private var header: [UInt8]? = []

    init(fromLine: ArraySlice<UInt8> = []) {
        hash = try? Digest(.sha256)
        hash?.update(Array(fromLine))
    }

    var octets: Int { size.octets }

    mutating func add(_ piece: Span<UInt8>) {
        count += piece.count
        size.add(piece)
        guard header != nil else {
            hash?.update(piece)
            return
        }
        let searched = max(0, (header?.count ?? 0) - 3)
        header?.append(span: piece)
        if let end = Self.headerEnd(header ?? [], from: searched) {
            endHeader(at: end)
        } else if header?.count ?? 0 > Self.headerLimit {
            endHeader(at: header?.count ?? 0)
        }
    }

    /// The digest, hexadecimal.
    mutating func finish() -> [UInt8] {
        if let header { endHeader(at: header.count) }
        guard let digest = hash.take()?.finalize() else { return [] }
        return Array(Hexadecimal.encode(Array(digest.prefix(16))).utf8)
    }

    /// The place behind the blank line that ends a header.
    private static func headerEnd(_ bytes: [UInt8], from start: Int) -> Int? {
        var place = start
        while let lf = bytes.span.firstIndex(of: ASCII.lf, from: place) {
            let next = lf + 1
            if next < bytes.count, bytes[next] == ASCII.lf { return next + 1 }
            if next + 1 < bytes.count, bytes[next] == ASCII.cr, bytes[next + 1] == ASCII.lf { return next + 2 }
            place = next
        }
        return nil
    }

    /// Takes in the header up to `end` without the fields that are notes, and all of what follows it.
    private mutating func endHeader(at end: Int) {
        guard let bytes = header else { return }
        header = nil
        isInternal = MessageHead(start: Array(bytes[..<end]), isComplete: true)?.isInternalData ?? false
        var place = 0
        var isNote = false
        while place < end {
            let line = bytes.span.line(at: place, limit: end)
            if line.content.isEmpty || !bytes[place].isSpaceOrTab {
                let colon = bytes[line.content].firstIndex(of: ASCII.colon) ?? line.content.lowerBound
                let name = String(decoding: bytes[place..<max(place, colon)].map(\.asciiLowercased), as: UTF8.self)
                isNote = Self.notes.contains(name)
            }
            if !isNote { hash?.update(bytes.span.extracting(place..<line.next)) }
            place = line.next
        }
        hash?.update(bytes.span.extracting(end..<bytes.count))
    }
}

extension ArraySlice where Element == UInt8 {
    /// The bytes without the LF or CRLF at their end.
    fileprivate var trimmingLineEnd: ArraySlice {
        guard last == ASCII.lf else { return self }
        let line = dropLast()
        return line.last == ASCII.cr ? line.dropLast() : line
    }
}
