import Bytes
import Glibc
import Synchronization
import Unix

/// One message on its way into a Maildir, step by step, so that a committer can do each step for many deliveries:
/// `Maildir.begin`, `write`, `synchronize`, `publish`, then `Maildir.synchronize`. Only after the last one the message
/// will survive a power loss; at any instant before `publish` nobody sees it.
///
/// Dropped before it is published, it leaves nothing. The steps may run on any thread, one after another.
package final class MaildirDelivery: Sendable {
    private struct State: ~Copyable {
        var file: FileDescriptor?
        var size = 0
        /// Line ends that are a lone LF: the size with CRLF line ends is so much larger.
        var loneLineFeeds = 0
        var lastByte: UInt8 = 0
        var isPublished = false
    }

    private let maildir: Maildir
    private let tmp: Directory
    private let name: [UInt8]
    private let state: Mutex<State>

    fileprivate init(_ maildir: Maildir, name: [UInt8]) throws(SystemError) {
        self.maildir = maildir
        self.name = name
        guard let tmp = maildir.tmp else {
            throw SystemError(code: ENOENT, operation: "open", subject: "\(maildir.path)/tmp")
        }
        self.tmp = tmp
        let file = try tmp.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        state = Mutex(State(file: file))
    }

    deinit {
        let isPublished = state.withLock { $0.isPublished }
        if !isPublished { try? tmp.remove(name) }
    }

    /// Appends to the message.
    package func write(_ bytes: Span<UInt8>) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil else { throw ended }
            try state.file?.writeAll(bytes)
            state.size += bytes.count
            state.loneLineFeeds += bytes.loneLineFeeds(after: state.lastByte)
            if !bytes.isEmpty { state.lastByte = bytes[bytes.count - 1] }
        }
    }

    /// The message is whole: lets the kernel begin to write it to the disk, ahead of `synchronize`.
    package func beginSynchronizing() { state.withLock { $0.file?.beginSynchronizing() } }

    /// Gives the file the time `received`, in seconds since 1970, when there is one, and waits until the message is on
    /// the disk.
    package func synchronize(received: Int? = nil) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil else { throw ended }
            if let received { try state.file?.setTimes(received) }
            try state.file?.synchronize()
        }
    }

    /// Gives the file the time `received` without waiting for the disk.
    package func setTime(received: Int) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.file != nil else { throw ended }
            try state.file?.setTimes(received)
        }
    }

    /// Moves the message into `new/`, or with flags into `cur/`. Returns what it is called there. From here on mail
    /// programs see it.
    @discardableResult
    package func publish(flags: MessageFlags = MessageFlags()) throws(SystemError) -> Maildir.Entry {
        try state.withLock { state throws(SystemError) in
            guard let file = state.file.take() else { throw ended }
            // Late write errors of network file systems come with the close.
            try file.close()
            let sized = name + Array(",S=\(state.size),W=\(state.size + state.loneLineFeeds)".utf8)
            let entry =
                flags.belongsInCur
                ? Maildir.Entry(folder: .cur, name: MaildirName(base: sized, flags: flags))
                : Maildir.Entry(folder: .new, name: MaildirName(sized))
            try tmp.rename(name, to: maildir.directory(entry.folder), as: entry.name.bytes)
            state.isPublished = true
            return entry
        }
    }

    /// Gives the message up; nothing of it remains.
    package func abort() {
        state.withLock { state in
            guard !state.isPublished else { return }
            state.file = nil
            try? tmp.remove(name)
            state.isPublished = true
        }
    }

    private var ended: SystemError {
        SystemError(code: EBADF, operation: "write to", subject: "\(maildir.path)/tmp/\(name.text)")
    }
}

extension Maildir {
    /// Begins the delivery of a message in `tmp/`. `time` is when it was received, in seconds since 1970, for its name
    /// (now, when nil); names made later through this value always sort later.
    package func begin(time: Int? = nil) throws(SystemError) -> MaildirDelivery {
        for _ in 0..<8 {
            do throws(SystemError) {
                return try begin(named: names.make(at: time, process: getpid()))
            } catch {
                guard error.code == EEXIST else { throw error }
            }
        }
        throw SystemError(code: EEXIST, operation: "create", subject: "\(path)/tmp")
    }

    /// Begins the delivery of a message in `tmp/` under a name of `nextName`.
    package func begin(named name: [UInt8]) throws(SystemError) -> MaildirDelivery {
        try MaildirDelivery(self, name: name)
    }

    /// The name of the next message of a run, before sizes and flags. `number` is the one that
    /// `MaildirName.deliveryNumber` gives back.
    package func nextName(time: Int?, number: Int) -> [UInt8] { names.make(at: time, process: process, number: number) }

    /// Delivers a message that is all there, with one call for each step; safe on any thread. Durable are its bytes,
    /// when `synchronizing`; its name is after `synchronize()`. `temporary` is its name in `tmp/`, of `nextName`: who
    /// delivers many messages one after another uses the same for all, and the directory stays small.
    package func deliver(
        _ message: Span<UInt8>, named name: [UInt8], temporary: [UInt8], flags: MessageFlags, received: Int,
        synchronizing: Bool
    ) throws(SystemError) {
        guard let tmp else { throw SystemError(code: ENOENT, operation: "open", subject: "\(path)/tmp") }
        var final: [UInt8] = []
        final.reserveCapacity(name.count + 64)
        final += name
        final.append(text: ",S=")
        final.append(decimal: message.count)
        final.append(text: ",W=")
        final.append(decimal: message.count + message.loneLineFeeds(after: 0))
        let isCurrent = flags.belongsInCur
        if isCurrent {
            final.append(text: ":2,")
            final += flags.maildirLetters
        }
        let file = try tmp.openMany(temporary, O_WRONLY | O_CREAT | O_EXCL)
        do throws(SystemError) {
            try file.writeAll(message)
            try file.setTimes(received)
            if synchronizing { try file.synchronize() }
            try file.close()
            try tmp.rename(temporary, to: isCurrent ? cur : new, as: final)
        } catch {
            try? tmp.remove(temporary)
            throw error
        }
    }

    /// Lets the messages that are delivered through this value from now on sort after those of the second `seconds`.
    package func continueOrder(after seconds: Int) { names.continueAfter(seconds) }

    /// Lets the messages that are delivered through this value from now on sort after all that are there, whatever
    /// their dates.
    package func continueOrder() throws(SystemError) {
        if let last = try entries().last?.name.deliveryTime { names.continueAfter(last) }
    }

    /// Delivers a message and returns when it is on the disk.
    @discardableResult
    package func deliver(
        _ message: Span<UInt8>, flags: MessageFlags = MessageFlags(), received: Int? = nil
    ) throws(SystemError) -> Entry {
        let delivery = try begin(time: received)
        try delivery.write(message)
        try delivery.synchronize(received: received)
        let entry = try delivery.publish(flags: flags)
        try synchronize(entry.folder)
        return entry
    }
}

extension Span where Element == UInt8 {
    /// How many LF have no CR before them; `previous` is the byte before the first.
    fileprivate func loneLineFeeds(after previous: UInt8) -> Int {
        guard count > 0 else { return 0 }
        let first = self[0] == ASCII.lf && previous != ASCII.cr ? 1 : 0
        return first + loneLineFeedsBehindFirst
    }
}
