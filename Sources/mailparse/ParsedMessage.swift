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
    /// What the headers of messages within the message say, by the index of the message part.
    private let inner: [Int: MessageSummary]

    init(_ input: InputMessage, _ bytes: Span<UInt8>, headerOnly: Bool = false) {
        self.input = input
        let structure = headerOnly ? MessageStructure(headerOf: bytes) : MessageStructure(bytes)
        self.structure = structure
        summary = MessageSummary(structure.fields(of: 0), in: bytes)
        hops = summary.received.map { ReceivedHop($0.value) }
        delays = ReceivedHop.delays(hops)
        if headerOnly {
            headers = []
            readable = nil
            inner = [:]
        } else {
            var headers: [PartHeader] = []
            var inner: [Int: MessageSummary] = [:]
            headers.reserveCapacity(structure.parts.count)
            for part in structure.parts.indices {
                headers.append(structure.header(of: part, in: bytes))
                if structure.parts[part].isMessage, let root = structure.parts[part].children.first {
                    inner[part] = structure.withSource(of: root, in: bytes) { source in
                        MessageSummary(structure.fields(of: root), in: source)
                    }
                }
            }
            self.inner = inner
            self.headers = headers
            readable = ReadableParts(structure, headers: headers)
        }
    }

    /// What the header of the message within a message part says.
    func innerSummary(_ part: Int) -> MessageSummary? { inner[part] }

    /// All findings; `contents` are those of the parts, when there are any.
    func findings(_ bytes: Span<UInt8>, _ contents: [PartFacts]) -> [PartFinding] {
        var findings = MessageFindings()
        findings.addHeader(structure, summary, in: bytes, now: SystemClock.now.seconds)
        if !headers.isEmpty {
            findings.addParts(structure, headers: headers, in: bytes)
            for (part, facts) in contents.enumerated() {
                for id in facts.defects.sorted() {
                    findings.add(PartFinding(id, at: structure.parts[part].bodyOffset, part: part))
                }
            }
        }
        for (index, delay) in delays.enumerated() where (delay ?? 0) < 0 {
            findings.addOuter(.hopClockSkew, summary.received[index].offset)
        }
        return findings.sorted
    }

    /// The size of a part for people: decoded bytes of a leaf, the bytes of the body of anything else.
    func size(of part: Int, _ bytes: Span<UInt8>) -> Int {
        let node = structure.parts[part]
        if node.isLeaf, node.encoding != .identity { return structure.content(of: part, in: bytes).bytes.count }
        return node.body.count
    }

    /// What decoding every part tells. With `digests`, the SHA-256 of each leaf; with `texts`, the text of text leaves.
    func contents(_ bytes: Span<UInt8>, digests: Bool, texts: Bool) throws(OpenSSLError) -> [PartFacts] {
        var facts: [PartFacts] = []
        facts.reserveCapacity(structure.parts.count)
        for part in structure.parts.indices {
            var fact = PartFacts()
            defer { facts.append(fact) }
            let node = structure.parts[part]
            guard node.isLeaf else { continue }
            let content = structure.content(of: part, in: bytes)
            fact.size = content.bytes.count
            if let defect = content.defect { fact.defects.insert(defect) }
            if digests {
                fact.sha256 = Hexadecimal.encode(try Digest.hash(.sha256, content.bytes.span))
            }
            if node.contentType.isText {
                let decoded = structure.text(content.bytes, of: part)
                fact.defects.formUnion(decoded.defects)
                if texts { fact.text = decoded.text.text }
            }
        }
        return facts
    }
}

/// What decoding a part tells; nothing for multiparts and messages.
struct PartFacts {
    /// Transfer-decoded bytes.
    var size: Int?
    var sha256: String?
    var text: String?
    var defects: Set<FindingID> = []
}
