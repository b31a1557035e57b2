import Bytes
import CommandLineTool
import Mailboxes
import OpenSSL

/// --verify: reads both sides again and compares a digest of every message, without the fields that belong to the
/// store.
struct Verification {
    struct Outcome {
        /// The destination, and the first message in it that differs, counted from 1; nil when none does.
        var firstDifference: (path: String, message: Int)?
        /// The destination that holds another number of messages than it should.
        var wrongCount: (path: String, expected: Int, found: Int)?

        var isSame: Bool { firstDifference == nil && wrongCount == nil }
        var difference: String {
            if let wrongCount {
                return "\(wrongCount.path): not the same: \(wrongCount.expected) messages were to be there, "
                    + "\(wrongCount.found) are"
            }
            return
                "\(firstDifference?.path ?? ""): not the same: message \(firstDifference?.message ?? 0) differs from "
                + "its source: compare them with --list -v, or convert to mboxrd"
        }
    }

    let plan: DestinationPlan
    /// Line ends were changed: they are left out of the comparison.
    let crlf: Bool
    /// Messages stood in the destinations before.
    let isAppended: Bool

    /// Compares what `read` gives with the destinations. Only `Outcome.isSame` counts when one of these cannot be read.
    func compare(_ look: Source.Look, _ read: (DigestRouter) throws -> Void) throws -> Outcome {
        // What the destination is stored as: where it quotes and cannot take the quotes away, the source is quoted too.
        let quotes: LineQuoting.Rule = plan.format == .mboxo || plan.format == .mboxcl ? .from : .none
        let expected = DigestRouter(quoting: quotes, ignoringLineEnds: crlf)
        try read(expected)
        var outcome = Outcome()
        for (key, digests) in expected.digests {
            let path = plan.path(key)
            let found = DigestRouter(quoting: .none, ignoringLineEnds: crlf)
            var sink = TransferSink(found, choice: nil)
            let written = try Source(path, look)
            try sink.begin(written)
            _ = try written.read(into: &sink)
            let all = found.digests[DestinationKey()] ?? []
            guard isAppended ? all.count >= digests.count : all.count == digests.count else {
                outcome.wrongCount = (path, digests.count, all.count)
                return outcome
            }
            let before = all.count - digests.count
            for index in digests.indices where digests[index] != all[before + index] {
                outcome.firstDifference = (path, index + 1)
                return outcome
            }
        }
        return outcome
    }
}

/// Makes a digest of every message, for each place that messages go to.
final class DigestRouter: MessageRouter {
    private(set) var digests: [DestinationKey: [UInt64]] = [:]
    private let rule: LineQuoting.Rule
    private let ignoresLineEnds: Bool
    private var key = DestinationKey()
    private var quoting = LineQuoting(.none)
    private var digest: Digest?
    private var buffer: [UInt8] = []

    init(quoting rule: LineQuoting.Rule, ignoringLineEnds: Bool) {
        self.rule = rule
        ignoresLineEnds = ignoringLineEnds
    }

    func select(_ key: DestinationKey) {
        self.key = key
        digests[key, default: []] += []
    }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        do throws(OpenSSLError) {
            digest = try Digest(.sha256)
        } catch {
            throw ToolFailure(.unavailable, "--verify: \(error)")
        }
        quoting = LineQuoting(rule)
        let bytes = head.stored(removingStatus: true).bytes
        try write(bytes.span)
    }

    func write(_ bytes: Span<UInt8>) throws {
        if rule == .none, !ignoresLineEnds {
            digest?.update(bytes)
            return
        }
        buffer.removeAll(keepingCapacity: true)
        quoting.write(bytes, into: &buffer)
        add()
    }

    func end(size: Int) throws {
        buffer.removeAll(keepingCapacity: true)
        quoting.finish(into: &buffer)
        add()
        guard let digest = digest.take() else { return }
        digests[key, default: []].append(digest.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    private func add() {
        if ignoresLineEnds { buffer.removeAll { $0 == ASCII.cr } }
        let bytes = buffer
        digest?.update(bytes.span)
    }
}
