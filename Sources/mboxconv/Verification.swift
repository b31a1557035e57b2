import Bytes
import CommandLineTool
import Mailboxes
import OpenSSL

/// --verify: reads both sides again and compares a digest of every message, without the fields that belong to the
/// store.
struct Verification {
    struct Outcome {
        /// The first message that differs, counted from 1; nil when none does.
        var firstDifference: Int?
        var expected = 0
        var found = 0

        var isSame: Bool { firstDifference == nil && expected == found }
        var difference: String {
            expected != found
                ? "not the same: \(expected) messages were to be there, \(found) are"
                : "not the same: message \(firstDifference ?? 0) differs from its source: compare them with --list -v, "
                    + "or convert to mboxrd"
        }
    }

    /// Line ends were changed: they are left out of the comparison.
    let crlf: Bool
    /// What the destination is stored as: where it quotes and cannot take the quotes away, the source is quoted too.
    let format: MailboxFormat
    /// Messages that stood in the destination before.
    let existing: Int

    func compare(_ sources: [Source], with destination: Source) throws -> Outcome {
        let quotes: LineQuoting.Rule = format == .mboxo || format == .mboxcl ? .from : .none
        var expected = DigestSink(quoting: quotes, ignoringLineEnds: crlf)
        for source in sources { _ = try source.read(into: &expected) }
        var found = DigestSink(quoting: .none, ignoringLineEnds: crlf)
        _ = try destination.read(into: &found)
        let digests = Array(found.digests.dropFirst(existing))
        let difference = zip(expected.digests, digests).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        return Outcome(
            firstDifference: difference.map { $0 + 1 }, expected: expected.digests.count, found: digests.count)
    }
}

/// Makes a digest of every message.
struct DigestSink: MessageSink, ~Copyable {
    private(set) var digests: [[UInt8]] = []
    private let rule: LineQuoting.Rule
    private let ignoresLineEnds: Bool
    private var quoting = LineQuoting(.none)
    private var digest: Digest?
    private var buffer: [UInt8] = []

    init(quoting rule: LineQuoting.Rule, ignoringLineEnds: Bool) {
        self.rule = rule
        ignoresLineEnds = ignoringLineEnds
    }

    mutating func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        do throws(OpenSSLError) {
            digest = try Digest(.sha256)
        } catch {
            throw ToolFailure(.unavailable, "--verify: \(error)")
        }
        quoting = LineQuoting(rule)
        let bytes = head.stored(removingStatus: true).bytes
        try write(bytes.span)
    }

    mutating func write(_ bytes: Span<UInt8>) throws {
        buffer.removeAll(keepingCapacity: true)
        quoting.write(bytes, into: &buffer)
        add()
    }

    mutating func end(size: Int) throws {
        buffer.removeAll(keepingCapacity: true)
        quoting.finish(into: &buffer)
        add()
        if let digest = digest.take() { digests.append(Array(digest.finalize().prefix(16))) }
    }

    private mutating func add() {
        if ignoresLineEnds { buffer.removeAll { $0 == ASCII.cr } }
        let bytes = buffer
        digest?.update(bytes.span)
    }
}
