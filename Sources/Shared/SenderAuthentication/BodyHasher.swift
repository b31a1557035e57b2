import Bytes
import OpenSSL

/// Hashes a body in one canonical form, for every `l=` that is asked for, in one pass over bytes that stay where they
/// are: what is already canonical goes to the digests uncopied.
final class BodyHasher {
    /// A digest of the first so many bytes.
    private final class Sink {
        let limit: Int?
        private var left: Int
        private var digest: Digest?

        init(_ limit: Int?) throws(OpenSSLError) {
            self.limit = limit
            left = limit ?? .max
            digest = try Digest(.sha256)
        }

        func update(_ bytes: Span<UInt8>) {
            let count = min(left, bytes.count)
            guard count > 0 else { return }
            left -= count
            digest?.update(bytes.extracting(0..<count))
        }

        func finish() -> [UInt8] { digest.take()?.finalize() ?? [] }
    }

    let form: Canonicalization
    private let sinks: [Sink]
    private let start: Int
    /// Where the last line ends that is not blank, without its line end.
    private let contentEnd: Int
    private var place: Int
    /// Bytes of the canonical form so far.
    private var count = 0
    private var staged: [UInt8] = []

    /// A run that is shorter is copied, so that digests are fed in pieces worth a call.
    private static let directSize = 1_024
    private static let stagingSize = 32_768

    init(
        _ form: Canonicalization, limits: [Int?], _ bytes: Span<UInt8>, body: Range<Int>
    ) throws(OpenSSLError) {
        self.form = form
        var sinks: [Sink] = []
        for limit in limits { sinks.append(try Sink(limit)) }
        self.sinks = sinks
        start = body.lowerBound
        place = body.lowerBound
        contentEnd = BodyHasher.contentEnd(bytes, body, form)
    }

    /// Leaves out the blank lines at the end (RFC 6376 3.4.3, 3.4.4).
    private static func contentEnd(_ bytes: Span<UInt8>, _ body: Range<Int>, _ form: Canonicalization) -> Int {
        var end = body.upperBound
        let start = body.lowerBound
        while end > start {
            if bytes[end - 1] == ASCII.lf {
                end -= end - 1 > start && bytes[end - 2] == ASCII.cr ? 2 : 1
            } else if form == .relaxed, bytes[end - 1].isSpaceOrTab {
                end -= 1
            } else {
                break
            }
        }
        return end
    }

    /// Goes on to `end`, or a little further.
    func advance(_ bytes: Span<UInt8>, to end: Int) {
        let end = min(end, contentEnd)
        while place < end {
            if bytes[place] == ASCII.lf, place == start || bytes[place - 1] != ASCII.cr {
                emitLineEnd()
                place += 1
                continue
            }
            guard let found = bytes.firstIrregularity(in: place..<end, whitespace: form == .relaxed) else {
                emit(bytes.extracting(place..<end))
                place = end
                return
            }
            if form == .relaxed, bytes[found].isSpaceOrTab {
                emit(bytes.extracting(place..<found))
                place = found
                while place < contentEnd, bytes[place].isSpaceOrTab { place += 1 }
                if !isLineEnd(bytes, place) { emitSpace() }
            } else if found + 1 < contentEnd {
                // A LF without CR follows.
                emit(bytes.extracting(place..<(found + 1)))
                emitLineEnd()
                place = found + 2
            } else {
                emit(bytes.extracting(place..<contentEnd))
                place = contentEnd
            }
        }
    }

    private func isLineEnd(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
        if place >= contentEnd || bytes[place] == ASCII.lf { return true }
        return bytes[place] == ASCII.cr && place + 1 < bytes.count && bytes[place + 1] == ASCII.lf
    }

    private func emit(_ bytes: Span<UInt8>) {
        count += bytes.count
        if bytes.count < BodyHasher.directSize {
            staged.append(span: bytes)
            if staged.count >= BodyHasher.stagingSize { flush() }
            return
        }
        flush()
        for sink in sinks { sink.update(bytes) }
    }

    private func emitLineEnd() {
        staged.append(ASCII.cr)
        staged.append(ASCII.lf)
        count += 2
    }

    private func emitSpace() {
        staged.append(ASCII.space)
        count += 1
    }

    private func flush() {
        guard !staged.isEmpty else { return }
        for sink in sinks { sink.update(staged.span) }
        staged.removeAll(keepingCapacity: true)
    }

    /// The digests by their limits, and how many bytes the canonical body has.
    func finish(_ bytes: Span<UInt8>) -> (hashes: [(limit: Int?, hash: [UInt8])], count: Int) {
        advance(bytes, to: contentEnd)
        if contentEnd > start || form == .simple { emitLineEnd() }
        flush()
        return (sinks.map { ($0.limit, $0.finish()) }, count)
    }
}
