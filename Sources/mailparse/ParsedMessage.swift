import Bytes
import MessageFormat
import Unix

/// A message taken apart and read, as far as a view needs it.
struct ParsedMessage {
    let input: InputMessage
    let structure: MessageStructure
    let summary: MessageSummary
    /// By part; empty when only the header was read.
    let headers: [PartHeader]
    let readable: ReadableParts?

    init(_ input: InputMessage, _ bytes: Span<UInt8>, headerOnly: Bool = false) {
        self.input = input
        let structure = headerOnly ? MessageStructure(headerOf: bytes) : MessageStructure(bytes)
        self.structure = structure
        summary = MessageSummary(structure.fields(of: 0), in: bytes)
        if headerOnly {
            headers = []
            readable = nil
        } else {
            var headers: [PartHeader] = []
            headers.reserveCapacity(structure.parts.count)
            for part in structure.parts.indices { headers.append(structure.header(of: part, in: bytes)) }
            self.headers = headers
            readable = ReadableParts(structure, headers: headers)
        }
    }

    /// All findings, content included.
    func findings(_ bytes: Span<UInt8>) -> [PartFinding] {
        var findings = MessageFindings()
        findings.addHeader(structure, summary, in: bytes, now: SystemClock.now.seconds)
        if !headers.isEmpty {
            findings.addParts(structure, headers: headers, in: bytes)
            for part in structure.parts.indices {
                for id in contentDefects(part, bytes).sorted() {
                    findings.add(PartFinding(id, at: structure.parts[part].bodyOffset, part: part))
                }
            }
        }
        addHopFindings(&findings)
        return findings.sorted
    }

    private func addHopFindings(_ findings: inout MessageFindings) {
        for (index, hop) in hops.enumerated() where (hop.delay ?? 0) < 0 {
            findings.addOuter(.hopClockSkew, summary.received[index].offset)
        }
    }

    /// What decoding a part's content finds.
    private func contentDefects(_ part: Int, _ bytes: Span<UInt8>) -> Set<FindingID> {
        let node = structure.parts[part]
        guard node.isLeaf else { return [] }
        if node.contentType.isText { return structure.text(of: part, in: bytes).defects }
        return structure.content(of: part, in: bytes).defect.map { [$0] } ?? []
    }
}
