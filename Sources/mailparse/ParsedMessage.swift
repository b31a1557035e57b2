import Bytes
import Mailboxes
import MessageFormat
import OpenSSL
import Unix

/// A message taken apart and read, as far as a view needs it.
struct ParsedMessage {
    let input: InputMessage
    let structure: MessageStructure
    let summary: MessageSummary
    /// By part; empty when only the header was read.
    let headers: [PartHeader]
    /// Nil when only the header was read.
    let readable: ReadableParts?
    let hops: [ReceivedHop]
    /// Seconds since the hop below, for each hop.
    let delays: [Int?]

    /// How much of a message is read, beside the fields of the outer header as they stand.
    struct Depth: OptionSet {
        let rawValue: Int

        /// What the outer header says.
        static let summary = Depth(rawValue: 1)
        /// The Received fields taken apart.
        static let hops = Depth(rawValue: 2)
        /// All parts.
        static let parts = Depth(rawValue: 4)

        static let header: Depth = [.summary, .hops]
        static let whole: Depth = [.summary, .hops, .parts]
    }

    /// Lets go of the memory of a large message up to a place in it.
    let passed: ((Int) -> Void)?

    /// `wanted`: the fields of which the summary must know.
    init(_ input: InputMessage, _ bytes: Span<UInt8>, _ depth: Depth, wanted: MessageSummary.Wanted = .all) {
        self.input = input
        passed = input.release
        let structure =
            depth.contains(.parts)
            ? MessageStructure(bytes, passed: passed)
            : depth.contains(.summary) ? MessageStructure(headerOf: bytes) : MessageStructure(fieldsOf: bytes)
        self.structure = structure
        if depth.contains(.parts) {
            let headers = structure.parts.indices.map { structure.header(of: $0, in: bytes) }
            self.headers = headers
            readable = ReadableParts(structure, headers: headers)
        } else {
            headers = []
            readable = nil
        }
        summary = MessageSummary(depth.contains(.summary) ? structure.fields(of: 0) : [], in: bytes, wanted: wanted)
        hops = depth.contains(.hops) ? summary.received.map { ReceivedHop($0.value) } : []
        delays = ReceivedHop.delays(hops)
    }

    /// What the header of the message within a message part says.
    func innerSummary(_ part: Int, _ bytes: Span<UInt8>) -> MessageSummary? {
        guard structure.parts[part].isMessage, let root = structure.parts[part].children.first else { return nil }
        return structure.withSource(of: root, in: bytes) { MessageSummary(structure.fields(of: root), in: $0) }
    }

    /// All findings; `contents` are those of the parts, when there are any.
    func findings(_ bytes: Span<UInt8>, _ contents: [PartFacts], _ ending: LineEnding) -> [PartFinding] {
        var findings = MessageFindings()
        findings.addHeader(structure, summary, in: bytes, ending, now: SystemClock.now.seconds)
        if !headers.isEmpty {
            findings.addParts(structure, headers: headers, in: bytes, ending, passed: passed)
            for (part, facts) in contents.enumerated() {
                for id in facts.defects.sorted() {
                    findings.add(PartFinding(id, at: place(of: id, part, bytes), part: part))
                }
            }
        }
        for (index, delay) in delays.enumerated() where (delay ?? 0) < 0 {
            findings.addOuter(.hopClockSkew, summary.received[index].offset)
        }
        return findings.sorted
    }

    /// Where in a part's body a defect of its content begins.
    private func place(of defect: FindingID, _ part: Int, _ bytes: Span<UInt8>) -> Int {
        let node = structure.parts[part]
        return structure.withSource(of: part, in: bytes) { source in
            let body = node.body.clamped(to: 0..<source.count)
            switch defect {
            case .badBase64: return body.first { !ParsedMessage.isBase64(source[$0]) } ?? node.bodyOffset
            case .badQuotedPrintable: return ParsedMessage.brokenEscape(source, body) ?? node.bodyOffset
            default: return node.bodyOffset
            }
        }
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte.isMailWhitespace || byte == ASCII.plus || byte == ASCII.slash
            || byte == ASCII.equals
    }

    /// The first `=` that begins neither an escape nor a soft line break.
    private static func brokenEscape(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var start = range.lowerBound
        while let place = bytes.firstIndex(of: ASCII.equals, in: start..<range.upperBound) {
            start = place + 1
            let rest = bytes.extracting(start..<range.upperBound)
            if rest.count >= 2, rest[0].hexadecimalValue != nil, rest[1].hexadecimalValue != nil { continue }
            var end = 0
            while end < rest.count, rest[end].isSpaceOrTab { end += 1 }
            if end < rest.count, rest[end] == ASCII.cr { end += 1 }
            if end < rest.count, rest[end] != ASCII.lf { return place }
        }
        return nil
    }

    /// The size of a part for people: decoded bytes of a leaf, the bytes of the body of anything else.
    func size(of part: Int, _ bytes: Span<UInt8>) -> Int {
        let node = structure.parts[part]
        guard node.isLeaf, node.encoding != .identity else { return node.body.count }
        var size = 0
        _ = structure.decode(part, in: bytes, passed: passed) { size += $0.count }
        return size
    }

    /// Gives the bytes of a part's body as they stand, in pieces.
    func writeBody<Failure: Error>(
        of part: Int, _ bytes: Span<UInt8>, _ take: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let node = structure.parts[part]
        try structure.withSource(of: part, in: bytes) { source throws(Failure) in
            var place = node.body.lowerBound
            let bodyEnd = min(node.body.upperBound, source.count)
            while place < bodyEnd {
                let end = min(place + Span<UInt8>.stepOfLongSearch, bodyEnd)
                try take(source.extracting(place..<end))
                if node.source == 0 { passed?(end) }
                place = end
            }
        }
    }

    /// Text parts of more than so many bytes are not held in memory: what is shown of them is their start.
    private static let largestText = 16 << 20

    /// What decoding every part tells. With `digests`, the SHA-256 of each leaf; with `texts`, the text of every text leaf,
    /// else of those that are shown.
    func contents(_ bytes: Span<UInt8>, digests: Bool, texts: Bool) throws(OpenSSLError) -> [PartFacts] {
        let shown = Set(readable?.shown ?? [])
        var facts: [PartFacts] = []
        facts.reserveCapacity(structure.parts.count)
        for part in structure.parts.indices {
            let node = structure.parts[part]
            guard node.isLeaf else {
                facts.append(PartFacts())
                continue
            }
            var fact = PartFacts()
            if node.contentType.isText, node.body.count <= Self.largestText {
                let isWanted = texts || shown.contains(part)
                if !isWanted, !digests, structure.isPlain(part, in: bytes) {
                    fact.size = node.body.count
                    facts.append(fact)
                    continue
                }
                let content = structure.content(of: part, in: bytes)
                fact.size = content.bytes.count
                if let defect = content.defect { fact.defects.insert(defect) }
                if digests { fact.sha256 = Hexadecimal.encode(try Digest.hash(.sha256, content.bytes.span)) }
                let decoded = structure.text(content.bytes, of: part)
                fact.defects.formUnion(decoded.defects)
                if isWanted { fact.text = decoded.text }
            } else {
                try decode(part, bytes, digests: digests, &fact)
            }
            facts.append(fact)
        }
        return facts
    }

    /// Decodes a part in pieces, of which a text keeps its start.
    private func decode(
        _ part: Int, _ bytes: Span<UInt8>, digests: Bool, _ fact: inout PartFacts
    ) throws(OpenSSLError) {
        let isText = structure.parts[part].contentType.isText
        var size = 0
        var start: [UInt8] = []
        var digest = digests ? try Digest(.sha256) : nil
        let defect = structure.decode(part, in: bytes, passed: passed) { piece in
            size += piece.count
            digest?.update(piece)
            if isText, start.count < Self.largestText {
                start.append(span: piece.extracting(0..<min(piece.count, Self.largestText - start.count)))
            }
        }
        fact.size = size
        if let digest = digest.take() { fact.sha256 = Hexadecimal.encode(digest.finalize()) }
        if let defect { fact.defects.insert(defect) }
        if isText {
            let decoded = structure.text(start, of: part)
            fact.defects.formUnion(decoded.defects)
            fact.text = decoded.text
        }
    }
}

/// What decoding a part tells; nothing for multiparts and messages.
struct PartFacts {
    /// Transfer-decoded bytes.
    var size: Int?
    var sha256: String?
    /// UTF-8.
    var text: [UInt8]?
    var defects: Set<FindingID> = []
}
