import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// The journal of a conversion to a Maildir, a small text file in it while the conversion is under way: of which
/// sources it is, and which runs have worked on it. Each name that a run makes in the Maildir tells the run and counts
/// on, so that the names themselves tell how far it came.
struct Journal {
    /// One run: the mark of its names, and how many messages were there before it.
    private struct Run {
        let mark: String
        let start: Int
    }

    private static let heading = "mboxconv journal 1"

    let path: String
    private let sources: [String]
    private var runs: [Run] = []
    /// Messages of the sources that stand in the Maildir already.
    private(set) var done = 0
    /// How many of the Maildir's messages earlier runs have put there.
    private(set) var present = 0

    /// The file of the journal of `maildir`.
    static func path(in maildir: String) -> String {
        maildir.utf8.last == ASCII.slash ? "\(maildir)mboxconv.journal" : "\(maildir)/mboxconv.journal"
    }

    static func exists(in maildir: String) -> Bool { Files.exists(path(in: maildir)) }

    /// Begins a journal; with `resuming`, goes on with the one that is there.
    init(_ maildir: String, sources: [Source], resuming: Bool) throws {
        path = Self.path(in: maildir)
        self.sources = sources.map { "source \($0.identity)" }
        guard Files.exists(path) else { return }
        guard resuming else {
            throw ToolFailure(
                .cannotCreate,
                "\(maildir): a conversion into it was interrupted: go on with --resume, or remove \(path)")
        }
        try read(maildir)
    }

    private mutating func read(_ maildir: String) throws {
        let lines = try Files.read(path, limit: 1 << 20).text.split(separator: "\n").map(String.init)
        guard lines.first == Self.heading, lines.filter({ $0.hasPrefix("source ") }) == sources else {
            throw ToolFailure(
                .dataError, "\(path): of other sources, or these have changed: name the same ones, or remove it")
        }
        for line in lines where line.hasPrefix("run ") {
            let words = line.split(separator: " ")
            guard words.count == 3, let start = Int(words[2]), start >= 0 else { continue }
            runs.append(Run(mark: String(words[1]), start: start))
        }
        let box = try Maildir(maildir)
        try box.removeTemporaries(ofRuns: runs.map(\.mark))
        for entry in try box.entries() {
            for run in runs {
                guard let number = entry.name.deliveryNumber(inRun: run.mark) else { continue }
                present += 1
                done = max(done, run.start + number)
            }
        }
    }

    /// Notes that a run begins; returns the mark of its names.
    mutating func beginRun(synchronizing: Bool) throws -> String {
        let now = SystemClock.now
        let mark = String(now.seconds, radix: 36) + String(now.microseconds, radix: 36) + String(getpid(), radix: 36)
        runs.append(Run(mark: mark, start: done))
        let text = ([Self.heading] + sources + runs.map { "run \($0.mark) \($0.start)" }).joined(separator: "\n") + "\n"
        if synchronizing {
            try Files.writeDurably(path, Array(text.utf8), mode: 0o600)
        } else {
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            try file.writeAll(Array(text.utf8))
        }
        return mark
    }

    /// The conversion is complete.
    func remove() throws(SystemError) { try Files.remove(path) }
}

extension Source {
    /// What tells whether a source is the one of an earlier run.
    fileprivate var identity: String {
        switch storage {
        case .mbox(let format, let path):
            let status = name == "-" ? nil : try? Files.status(path)
            return "\(format.rawValue) \(status?.st_size ?? -1) \(name)"
        case .stream(let format): return "\(format.rawValue) -1 \(name)"
        case .maildir(let path):
            // Messages that come or go change what is to be skipped; flags do not.
            var digest: UInt64 = 0xCBF2_9CE4_8422_2325
            let entries = (try? Maildir(path).entries()) ?? []
            for byte in entries.lazy.flatMap(\.name.unique) { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
            return "maildir \(entries.count) \(String(digest, radix: 36)) \(name)"
        }
    }
}
