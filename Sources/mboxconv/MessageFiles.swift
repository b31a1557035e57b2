import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// The messages of a directory, each in a file of its own, in order.
struct MessageFiles {
    struct File {
        let name: [UInt8]
        let flags: MessageFlags
        let keywords: [[UInt8]]
        /// When it was delivered, as its name tells.
        let delivered: Int?
        /// Where it is in a Maildir.
        let entry: Maildir.Entry?
    }

    private let directory: Directory
    private let maildir: Maildir?
    private(set) var files: [File] = []

    init(_ format: MailboxFormat, _ path: String) throws(SystemError) {
        if format.isMaildir {
            let maildir = try Maildir(path)
            let letters = maildir.keywordLetters()
            self.maildir = maildir
            directory = try Directory(path)
            files = try maildir.entries().map { Self.file($0, letters) }
            return
        }
        maildir = nil
        directory = try Directory(path)
        let names = try directory.entries().filter { $0.kind == .file }.map(\.name)
        if format == .mh {
            let sequences = MessageSequences(path)
            files = names.compactMap { name in Self.number(name).map { ($0, name) } }.sorted { $0.0 < $1.0 }
                .map { number, name in
                    File(
                        name: name, flags: sequences.flags(of: number), keywords: sequences.keywords(of: number),
                        delivered: nil, entry: nil)
                }
        } else {
            files = MaildirName.ordered(names.filter(Self.isMessageFile)) { MaildirName($0) }
                .map { name in
                    let marks = EMLName.marks(name)
                    return File(name: name, flags: marks.flags, keywords: marks.keywords, delivered: nil, entry: nil)
                }
        }
    }

    private static func file(_ entry: Maildir.Entry, _ letters: KeywordLetters) -> File {
        var flags = entry.flags
        var keywords: [[UInt8]] = []
        if !letters.isEmpty, !flags.others.isEmpty {
            keywords = flags.others.compactMap { letters.name(of: $0) }
            flags.others.removeAll { letters.name(of: $0) != nil }
        }
        return File(
            name: entry.name.bytes, flags: flags, keywords: keywords, delivered: entry.name.deliveryTime, entry: entry)
    }

    /// The number that a file of MH has for a name.
    static func number(_ name: [UInt8]) -> Int? {
        guard 1...15 ~= name.count, name.first != ASCII.zero, name.allSatisfy(\.isASCIIDigit) else { return nil }
        return name.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
    }

    static func isMessageFile(_ name: [UInt8]) -> Bool {
        name.first != ASCII.dot && name.count > 4 && name.suffix(4).equalsIgnoringCase(".eml")
    }

    /// Opens a message's file; nil when another program has removed it since the directory was read, or it is none.
    func open(_ file: File) throws(SystemError) -> FileDescriptor? {
        do throws(SystemError) {
            if let maildir, let entry = file.entry { return try maildir.openMany(entry) }
            return try directory.openMany(file.name, O_RDONLY)
        } catch {
            if error.code == ENOENT || error.code == ELOOP { return nil }
            throw error
        }
    }

    func status(_ file: File) -> stat? {
        if let maildir, let entry = file.entry { return try? maildir.status(entry) }
        return try? directory.status(file.name)
    }
}

extension Source {
    /// Gives the messages of a directory to `sink`. A file that cannot be read is left out, and told.
    func readDirectory(
        _ format: MailboxFormat, _ path: String, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Tally {
        var tally = Tally()
        let files: MessageFiles
        do throws(SystemError) { files = try self.files(format, path) } catch { throw Source.failure(name, error) }
        var buffer = [UInt8](repeating: 0, count: MessageAssembly.wholeLimit + 1)
        var assembly = MessageAssembly()
        for file in files.files {
            if Interruption.signal != nil { throw Interrupted() }
            do {
                guard let descriptor = try open(file, of: files),
                    let size = try read(file, descriptor, &buffer, &assembly, &sink)
                else { continue }
                tally.bytes += size
                tally.messages += 1
            } catch let error as UnreadableFile {
                let reason = error.reason
                tally.failures.append(
                    ToolFailure(
                        reason.code == EACCES || reason.code == EPERM ? .noPermission : .ioError,
                        "\(name)/\(file.name.text): cannot be read: \(reason.reason): left out"))
            }
        }
        return tally
    }

    /// Thrown before anything of a message was passed on.
    private struct UnreadableFile: Error { let reason: SystemError }

    private func open(_ file: MessageFiles.File, of files: MessageFiles) throws -> FileDescriptor? {
        do throws(SystemError) { return try files.open(file) } catch { throw UnreadableFile(reason: error) }
    }

    /// Passes one file on; returns its size, nil when it is no regular file.
    private func read(
        _ entry: MessageFiles.File, _ file: borrowing FileDescriptor, _ buffer: inout [UInt8],
        _ assembly: inout MessageAssembly, _ sink: inout (some MessageSink & ~Copyable)
    ) throws -> Int? {
        let status: stat
        do throws(SystemError) { status = try file.status() } catch { throw UnreadableFile(reason: error) }
        guard Files.kind(of: status) == .file else { return nil }
        // A copy makes the file's time later than the delivery; a conversion may have made the name later than it.
        let changed = status.st_mtim.tv_sec
        var envelope = Envelope(
            name: entry.name, flags: entry.flags, keywords: entry.keywords,
            received: entry.delivered.map { min($0, changed) } ?? changed, size: Int(status.st_size))
        var count: Int
        do throws(SystemError) {
            count = try file.readOnce(over: &buffer)
            if count != Int(status.st_size) {
                count += try file.read(over: &buffer, from: count, atMost: buffer.count - count)
            }
            if let last = count < buffer.count
                ? buffer[..<count].last : try file.read(at: Int(status.st_size) - 1, atMost: 1).first
            {
                envelope.lastLineEnd = last == ASCII.lf ? .present : .missing
            }
        } catch {
            throw UnreadableFile(reason: error)
        }
        assembly.begin(envelope)
        while true {
            try assembly.add(buffer.span.extracting(0..<count), to: &sink)
            if count < buffer.count { return try assembly.end(&sink) }
            if Interruption.signal != nil { throw Interrupted() }
            do throws(SystemError) { count = try file.read(over: &buffer, from: 0, atMost: buffer.count) } catch {
                throw Source.failure(name, error)
            }
        }
    }

    /// What a directory holds, without opening its files.
    func countFiles(_ format: MailboxFormat, _ path: String) throws -> Tally {
        var tally = Tally()
        do throws(SystemError) {
            let files = try MessageFiles(format, path)
            for file in files.files {
                // One that is gone by now is not counted.
                guard let status = files.status(file), Files.kind(of: status) == .file else { continue }
                tally.messages += 1
                tally.bytes += Int(status.st_size)
            }
        } catch {
            throw Source.failure(name, error)
        }
        return tally
    }
}
