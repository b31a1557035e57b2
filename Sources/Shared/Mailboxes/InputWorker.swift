import Bytes
import Glibc
import MessageFormat
import Unix

/// Takes stretches of the input and gives their messages to a visitor.
final class InputWorker {
    /// Files up to this many bytes are read at once, larger ones mapped.
    private static let smallFile = 1 << 20
    /// So much is read where the header suffices: most headers are shorter.
    private static let headerRead = 16 << 10
    /// So much before anything is known of the file.
    private static let firstRead = 4 << 10

    let place: OrderedPlace
    private let input: MessageInput
    private let queue: InputQueue
    private var buffer: [UInt8] = []

    init(_ input: MessageInput, _ queue: InputQueue) {
        self.input = input
        self.queue = queue
        place = OrderedPlace(queue)
    }

    /// Works until there is nothing to take. `hire` is called when there is enough for another worker.
    func run(_ visitor: any MessageVisitor, hire: () -> Void = {}) {
        while let (number, stretch, hasMore) = queue.take() {
            if hasMore { hire() }
            place.move(to: number)
            do {
                let wantsMore = try read(stretch, number, visitor)
                visitor.endStretch()
                queue.finish(number, isLast: !wantsMore)
            } catch {
                visitor.endStretch()
                queue.fail(number, error)
            }
        }
    }

    private func read(_ stretch: InputStretch, _ number: Int, _ visitor: any MessageVisitor) throws -> Bool {
        switch stretch {
        case .files(let range): return try readFiles(range, number, visitor)
        case .mapped(let batch):
            defer { batch.mapping.release(batch.range) }
            return try batch.mapping.withBytes {
                try readItems(batch.items, $0, batch.file, batch.mapping, visitor)
            }
        case .owned(let batch):
            for item in batch.items {
                let message = InputMessage(
                    file: batch.file, index: item.index, envelope: item.envelope, size: item.bytes.count, flags: nil)
                let bytes = item.bytes
                if try !give(message, bytes.span, visitor) { return false }
            }
            return true
        case .maildir(let maildir, let range): return try readEntries(maildir, range, visitor)
        case .problem(let problem):
            try visitor.report(problem)
            return true
        }
    }

    /// The messages of an mbox or a batch.
    private func readItems(
        _ items: [StreamItem], _ bytes: Span<UInt8>, _ file: String, _ mapping: MappedStream.Mapping?,
        _ visitor: any MessageVisitor
    ) throws -> Bool {
        for item in items {
            var message = InputMessage(
                file: file, index: item.index, envelope: item.envelope.map { bytes.array($0) }, size: item.size,
                flags: nil)
            if item.more.isEmpty {
                if let mapping, item.size > Self.smallFile {
                    message.release = { mapping.release(item.first.lowerBound..<(item.first.lowerBound + $0)) }
                }
                if try !give(message, bytes.extracting(item.first), visitor) { return false }
                continue
            }
            var whole: [UInt8] = []
            whole.reserveCapacity(item.size)
            whole.append(span: bytes.extracting(item.first))
            for piece in item.more { whole.append(span: bytes.extracting(piece)) }
            let content = whole
            if try !give(message, content.span, visitor) { return false }
        }
        return true
    }

    // MARK: Files

    /// What looking at an input gives.
    private enum Look {
        /// It holds many messages, or has to be read in another way.
        case generator(InputGenerator)
        /// A file that is one message.
        case single(MappedStream.Mapping)
        /// Its start was read into the buffer; for a small file all of it.
        case read(count: Int, size: Int)
        case problem(String, InputProblem.Kind)
    }

    private func readFiles(_ range: Range<Int>, _ number: Int, _ visitor: any MessageVisitor) throws -> Bool {
        for index in range {
            let name = input.names[index]
            switch look(at: name) {
            case .generator(let generator):
                queue.insert([generator, .files(index + 1..<range.upperBound)], after: number)
                return true
            case .single(let mapping):
                if input.only ?? 0 != 0 { continue }
                let wantsMore = try mapping.withBytes {
                    try giveSingle($0, mapping.count, name, 0, nil, visitor) { mapping.release(0..<$0) }
                }
                if !wantsMore { return false }
            case .read(let count, let size):
                if try !readBuffer(count, size: size, name, visitor) { return false }
            case .problem(let reason, let kind):
                try visitor.report(InputProblem(file: name, kind: kind, reason: reason))
            }
        }
        return true
    }

    private func look(at name: String) -> Look {
        do throws(SystemError) {
            if name == "-" {
                let input = FileDescriptor(owning: dup(0), subject: "standard input")
                let isWhole = input.position() == 0
                return try look(at: input, name, isWhole: isWhole)
            }
            return try look(at: FileDescriptor.open(name, O_RDONLY), name, isWhole: true)
        } catch {
            return .problem("cannot be read: \(error.reason)", .unreadable)
        }
    }

    private func look(
        at file: consuming FileDescriptor, _ name: String, isWhole: Bool
    ) throws(SystemError) -> Look {
        // Most files are messages whose header is soon read: not even their sizes need be asked for.
        let start = isWhole && name != "-" && input.headersSuffice && !input.needsSizes ? readFirst(of: file) : 0
        if start > 0, isHeader(start) { return .read(count: start, size: start) }
        let status = try file.status()
        switch Files.kind(of: status) {
        case .directory:
            guard Maildir.isMaildir(name) else {
                return .problem("a directory, but no Maildir (it has no new/ and cur/): give its files", .unreadable)
            }
            return .generator(.maildir(try MaildirInput(name), from: 0))
        case .file where isWhole:
            let size = Int(status.st_size)
            // Files of /proc and their like have no size and yet content.
            guard size > 0 else { break }
            let content = try content(of: file, size: size, from: start)
            guard case .single(let mapping) = content,
                let finder = mapping.withBytes({ finder($0, name) { mapping.release(0..<$0) } })
            else { return content }
            mapping.release(0..<size)
            return .generator(.mapped(MappedStream(name, mapping, finder)))
        default: break
        }
        return .generator(
            .stream(StreamReader(name, file, isMbox: input.isMbox, start: Array(buffer.prefix(start)))))
    }

    /// A regular file's content: read when it is small or its header suffices, else mapped.
    private func content(
        of file: borrowing FileDescriptor, size: Int, from start: Int = 0
    ) throws(SystemError) -> Look {
        let isSmall = size <= Self.smallFile
        if isSmall || input.headersSuffice {
            let count = try readStart(of: file, size: size, from: start)
            if isSmall || (count < size && isHeader(count)) { return .read(count: count, size: max(count, size)) }
        }
        return .single(MappedStream.Mapping(try MappedFile(file)))
    }

    /// Whether the start of a file in the buffer holds the whole header of a single message.
    private func isHeader(_ count: Int) -> Bool {
        let buffer = buffer
        let start = buffer.span.extracting(0..<count)
        return MessageFinder(start, isMbox: input.isMbox) == nil && start.hasEmptyLine
    }

    /// What finds the messages of a whole file; nil when it is one message.
    private func finder(_ bytes: Span<UInt8>, _ name: String, passed: ((Int) -> Void)? = nil) -> MessageFinder? {
        guard let finder = MessageFinder(bytes, isMbox: input.isMbox) else { return nil }
        let isStream = input.isMbox || name == "-" || finder.isBatch || Self.holdsSeveral(bytes, passed)
        return isStream ? finder.settled(by: bytes, isWhole: true) : nil
    }

    /// Reads what one call gives of a file; 0 of what cannot be read so.
    private func readFirst(of file: borrowing FileDescriptor) -> Int {
        makeRoom(Self.firstRead)
        return (try? file.readOnce(over: &buffer, atMost: Self.firstRead)) ?? 0
    }

    /// Reads a file of which `start` bytes were read, or where the header suffices as much of it as the header needs.
    private func readStart(
        of file: borrowing FileDescriptor, size: Int, from start: Int
    ) throws(SystemError) -> Int {
        var count = start
        if input.headersSuffice, size > Self.headerRead {
            makeRoom(Self.headerRead)
            count += try file.read(over: &buffer, from: count, atMost: Self.headerRead - count)
            if isHeader(count) { return count }
        }
        let wanted = min(size, Self.smallFile)
        makeRoom(wanted)
        return count + (try file.read(over: &buffer, from: count, atMost: wanted - count))
    }

    private func makeRoom(_ count: Int) {
        if buffer.count < count { buffer += [UInt8](repeating: 0, count: max(count, 64 << 10) - buffer.count) }
    }

    /// What a small file holds: one message or several.
    private func readBuffer(_ count: Int, size: Int, _ name: String, _ visitor: any MessageVisitor) throws -> Bool {
        let buffer = buffer
        let bytes = buffer.span.extracting(0..<count)
        guard let finder = finder(bytes, name) else {
            if input.only ?? 0 != 0 { return true }
            return try giveSingle(bytes, size, name, 0, nil, visitor)
        }
        var items = ItemFinder(name, finder)
        do {
            while let found = try items.next(in: bytes, only: input.only) {
                if try !readItems(found, bytes, name, nil, visitor) { return false }
            }
        } catch let problem as InputProblem {
            try visitor.report(problem)
        }
        return true
    }

    /// Whether the bytes are an mbox of more than one message. `passed` is told of places up to which all was looked
    /// through.
    private static func holdsSeveral(_ bytes: Span<UInt8>, _ passed: ((Int) -> Void)?) -> Bool {
        // Most files with a From_ line are one message, and have no other line that could be one.
        if bytes.count <= smallFile, bytes.firstIndex(of: "\nFrom ", in: 0..<bytes.count) == nil { return false }
        var scanner = MboxScanner(format: .mboxrd)
        var count = 0
        var end = 0
        // In steps, so that a single message of any size does not fill memory.
        while end < bytes.count {
            end = min(end + Span<UInt8>.stepOfLongSearch, bytes.count)
            let step = bytes.extracting(0..<end)
            while let event = try? scanner.next(in: step, isFinal: end == bytes.count) {
                if case .begin = event { count += 1 }
                if count > 1 { return true }
            }
            passed?(scanner.consumed)
        }
        return false
    }

    // MARK: Messages

    private func readEntries(
        _ maildir: MaildirInput, _ range: Range<Int>, _ visitor: any MessageVisitor
    ) throws -> Bool {
        for index in range {
            let entry = maildir.entries[index]
            let content: Look
            do throws(SystemError) {
                let file = try maildir.maildir.open(entry)
                content = try self.content(of: file, size: Int(try file.status().st_size))
            } catch {
                // Another program has removed it since the directory was read.
                if error.code == ENOENT { continue }
                content = .problem("\(entry.name.bytes.text): cannot be read: \(error.reason)", .unreadable)
            }
            switch content {
            case .read(let count, let size):
                let buffer = buffer
                let bytes = buffer.span.extracting(0..<count)
                guard try giveSingle(bytes, size, maildir.name, index, entry.flags, visitor) else { return false }
            case .single(let mapping):
                let wantsMore = try mapping.withBytes {
                    try giveSingle($0, mapping.count, maildir.name, index, entry.flags, visitor) {
                        mapping.release(0..<$0)
                    }
                }
                if !wantsMore { return false }
            case .problem(let reason, let kind):
                try visitor.report(InputProblem(file: maildir.name, index: index, kind: kind, reason: reason))
            case .generator: continue
            }
        }
        return true
    }

    /// A message with or without an mbox line of its own.
    private func giveSingle(
        _ bytes: Span<UInt8>, _ size: Int, _ file: String, _ index: Int, _ flags: MessageFlags?,
        _ visitor: any MessageVisitor, release: (@Sendable (Int) -> Void)? = nil
    ) throws -> Bool {
        guard let line = MboxLine(bytes) else {
            let message = InputMessage(
                file: file, index: index, envelope: nil, size: size, flags: flags, release: release)
            return try give(message, bytes, visitor)
        }
        var message = InputMessage(
            file: file, index: index, envelope: bytes.array(line.content), size: size - line.next, flags: flags)
        message.release = release
        return try give(message, bytes.extracting(line.next..<bytes.count), visitor)
    }

    private func give(_ message: InputMessage, _ bytes: Span<UInt8>, _ visitor: any MessageVisitor) throws -> Bool {
        let reason: String
        if input.takesAnything {
            return try visitor.visit(message, bytes)
        } else if bytes.isEmpty, message.envelope == nil {
            reason = "empty: not a message"
        } else if BinaryData.isNoMessage(bytes) {
            reason = "binary data without a header field: not a message"
        } else {
            return try visitor.visit(message, bytes)
        }
        try visitor.report(
            InputProblem(file: message.file, index: message.index, kind: .notMessage, reason: reason))
        return true
    }
}

extension Span where Element == UInt8 {
    /// Whether an empty line stands somewhere, as at the end of a header.
    fileprivate var hasEmptyLine: Bool {
        var position = 0
        while let lf = firstIndex(of: ASCII.lf, from: position) {
            let next = lf + 1
            if next < count, self[next] == ASCII.lf { return true }
            if next + 1 < count, self[next] == ASCII.cr, self[next + 1] == ASCII.lf { return true }
            position = next
        }
        return false
    }
}
