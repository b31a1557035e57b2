import Bytes

/// What a part's header says beside its type, and its content decoded.
package struct PartHeader: Sendable {
    /// Lower-case first token of Content-Disposition.
    package var disposition: String?
    /// Content-Disposition filename, else Content-Type name; decoded, not made safe.
    package var filename: String?
    package var contentID: String?
    package var description: String?
    /// Defects of these fields, with the place of the field.
    package var defects: [(id: FindingID, offset: Int)] = []

    package var isAttachment: Bool { disposition == "attachment" }
}

extension MessageStructure {
    /// Reads the fields of a part's header that its structure does not depend on.
    package func header(of part: Int, in message: Span<UInt8>) -> PartHeader {
        withSource(of: part, in: message) { bytes in
            var header = PartHeader()
            var disposition: HeaderField?
            var identifier: HeaderField?
            var description: HeaderField?
            for field in fields(of: part) where bytes.matchesContentPrefix(at: field.offset) {
                if disposition == nil, field.isNamed("Content-Disposition", in: bytes) { disposition = field }
                if identifier == nil, field.isNamed("Content-ID", in: bytes) { identifier = field }
                if description == nil, field.isNamed("Content-Description", in: bytes) { description = field }
            }
            if let disposition {
                let value = disposition.value(in: bytes)
                header.disposition = TransferEncoding.firstToken(of: value)
                let parameters = ParameterizedField(value)
                header.filename = parameters["filename"]
                for id in parameters.defects.sorted() { header.defects.append((id, disposition.offset)) }
            }
            header.filename = header.filename ?? parts[part].contentType["name"]
            if let identifier { header.contentID = MessageIDs.first(identifier.value(in: bytes)) }
            if let description {
                let decoded = HeaderText.decode(description.value(in: bytes))
                header.description = decoded.text
                for id in decoded.defects.sorted() { header.defects.append((id, description.offset)) }
            }
            return header
        }
    }

    /// The content of a leaf, transfer-decoded.
    package func content(of part: Int, in message: Span<UInt8>) -> (bytes: [UInt8], defect: FindingID?) {
        let encoding = parts[part].isMultipart ? TransferEncoding.identity : parts[part].encoding
        return withSource(of: part, in: message) { encoding.decode($0.extracting(clamped(parts[part].body, $0))) }
    }

    /// The text of a part in UTF-8 with LF line ends.
    package func text(of part: Int, in message: Span<UInt8>) -> (text: [UInt8], defects: Set<FindingID>) {
        let content = content(of: part, in: message)
        let decoded = text(content.bytes, of: part)
        guard let defect = content.defect else { return decoded }
        return (decoded.text, decoded.defects.union([defect]))
    }

    /// The text of a part from its transfer-decoded content.
    package func text(_ content: [UInt8], of part: Int) -> (text: [UInt8], defects: Set<FindingID>) {
        var defects: Set<FindingID> = []
        let decoded = Charset.decode(content, label: parts[part].contentType["charset"] ?? "us-ascii")
        switch decoded.problem {
        case .unknownLabel: defects.insert(.unknownCharset)
        case .badBytes: defects.insert(.badCharsetBytes)
        case nil: break
        }
        return (MessageStructure.withLineFeeds(decoded.text), defects)
    }

    /// Whether the content of a part is its body as it stands, and ASCII of a charset that holds that.
    package func isPlain(_ part: Int, in message: Span<UInt8>) -> Bool {
        guard parts[part].encoding == .identity,
            Charset.isASCIICompatible(parts[part].contentType["charset"] ?? "us-ascii")
        else { return false }
        return withSource(of: part, in: message) { UTF8Text.isASCII($0.extracting(clamped(parts[part].body, $0))) }
    }

    private static func withLineFeeds(_ text: [UInt8]) -> [UInt8] {
        let span = text.span
        guard var next = span.firstIndex(of: ASCII.cr) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        while true {
            if next + 1 < text.count, text[next + 1] == ASCII.lf {
                result.append(span: span.extracting(start..<next))
                start = next + 1
            }
            guard let more = span.firstIndex(of: ASCII.cr, from: next + 1) else { break }
            next = more
        }
        result.append(span: span.extracting(start..<text.count))
        return result
    }

    func clamped(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Range<Int> { range.clamped(to: 0..<bytes.count) }
}

extension Span where Element == UInt8 {
    /// `content-`, in any case: what the fields of a part begin with.
    func matchesContentPrefix(at offset: Int) -> Bool {
        offset + 8 <= count && self[offset] | 0x20 == UInt8(ascii: "c") && self[offset + 7] == ASCII.dash
    }
}
