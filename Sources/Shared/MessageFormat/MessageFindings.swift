import Bytes

extension FindingID {
    package enum Severity: String, Sendable { case info, warning, error }

    package var severity: Severity {
        switch self {
        case .spaceBeforeColon, .noBody, .bareCR, .bareLF, .lineTooLong, .raw8BitHeader, .futureDate, .hopClockSkew,
            .encodedMessagePart, .badEncodedWord, .encodedWordInQuotes, .encodedWordInParameter:
            .info
        default: .warning
        }
    }

    /// What is wrong, for people.
    package var text: String {
        switch self {
        case .headerWithoutColon: "a line in the header is no field: it has no colon"
        case .spaceBeforeColon: "white space between a field's name and its colon"
        case .truncatedHeader: "the message ends within its header"
        case .noBody: "no empty line ends the header"
        case .bareCR: "a CR without LF"
        case .bareLF: "a lone LF among lines that end with CRLF"
        case .nulByte: "a NUL byte"
        case .lineTooLong: "a line of more than 998 bytes (RFC 5322 2.1.1)"
        case .raw8BitHeader: "8-bit bytes in the header that are not UTF-8"
        case .missingFrom: "no From field (RFC 5322 3.6)"
        case .missingDate: "no Date field (RFC 5322 3.6)"
        case .duplicateHeader: "a field that may occur once occurs again (RFC 5322 3.6)"
        case .badAddress: "an address that could only be guessed"
        case .badDate: "a date that cannot be read"
        case .futureDate: "dated more than a day ahead of now"
        case .hopClockSkew: "received before it was sent on: a clock is wrong"
        case .badContentType: "a Content-Type that cannot be read: taken as text/plain"
        case .missingBoundary: "a multipart whose boundary is missing: shown as text"
        case .missingCloseBoundary: "a multipart without its closing boundary line"
        case .emptyMultipart: "a multipart with no part"
        case .badBase64: "characters in base64 that do not belong to it"
        case .badQuotedPrintable: "a broken escape in quoted-printable"
        case .unknownEncoding: "an unknown Content-Transfer-Encoding, or one that a multipart may not have"
        case .unknownCharset: "an unknown charset: read as UTF-8 or windows-1252"
        case .badCharsetBytes: "bytes that the charset does not have"
        case .encodedMessagePart: "an encoded message part: offsets within it count in the decoded message"
        case .badEncodedWord: "an encoded word that is broken (RFC 2047)"
        case .encodedWordInQuotes: "an encoded word within a quoted string (RFC 2047 5)"
        case .encodedWordInParameter: "an encoded word in a parameter (RFC 2047 5)"
        case .suspiciousFilename: "a file name that asks for trouble"
        case .bidiControl: "characters that change the direction of text"
        }
    }
}

/// All findings of a message: one for each name and part, the first place.
package struct MessageFindings: Sendable {
    private struct Key: Hashable {
        let id: FindingID
        let part: Int
        let isOuterHeader: Bool
    }

    private var first: [Key: PartFinding] = [:]

    package init() {}

    package mutating func add(_ finding: PartFinding) {
        let key = Key(id: finding.id, part: finding.part, isOuterHeader: finding.isOuterHeader)
        if let known = first[key], known.offset <= finding.offset { return }
        first[key] = finding
    }

    /// By offset, then name, then place in the tree.
    package var sorted: [PartFinding] {
        first.values.sorted {
            ($0.offset, $0.id.rawValue, $0.isOuterHeader ? -1 : $0.part)
                < ($1.offset, $1.id.rawValue, $1.isOuterHeader ? -1 : $1.part)
        }
    }

    package var isEmpty: Bool { first.isEmpty }

    // MARK: Gathering

    /// Findings of the outer header: what its fields and lines tell. `ending` is that of the message, `now` in seconds
    /// since 1970.
    package mutating func addHeader(
        _ structure: MessageStructure, _ summary: MessageSummary, in message: Span<UInt8>, _ ending: LineEnding,
        now: Int
    ) {
        for finding in structure.findings where finding.isOuterHeader { add(finding) }
        for defect in summary.defects { addOuter(defect.id, defect.offset) }
        if !summary.hasFrom { addOuter(.missingFrom, 0) }
        if summary.dateText == nil { addOuter(.missingDate, 0) }
        if let date = summary.date, date.epoch > now + 86_400 { addOuter(.futureDate, summary.dateOffset) }
        guard let root = structure.parts.first else { return }
        let lines = LineFindings(message, 0..<root.bodyOffset, ending, forbidsNUL: true)
        for found in lines.found { addOuter(found.id, found.offset) }
    }

    /// Findings of all parts: structure, headers of inner parts, lines, transfer encodings. `passed` is told of places up
    /// to which all was looked through.
    package mutating func addParts(
        _ structure: MessageStructure, headers: [PartHeader], in message: Span<UInt8>, _ ending: LineEnding,
        passed: ((Int) -> Void)? = nil
    ) {
        for finding in structure.findings where !finding.isOuterHeader { add(finding) }
        let endings = [ending] + structure.decoded.map { LineEnding($0.span) }
        for part in structure.parts.indices {
            addPartHeader(part, headers[part])
            let source = structure.parts[part].source
            structure.withSource(of: part, in: message) { bytes in
                addFileName(part, headers[part].filename, structure, bytes)
                addLines(part, structure, bytes, endings[source], source == 0 ? passed : nil)
            }
        }
    }

    private mutating func addPartHeader(_ part: Int, _ header: PartHeader) {
        let isOuter = part == 0
        for defect in header.defects {
            add(PartFinding(defect.id, at: defect.offset, part: part, isOuterHeader: isOuter))
        }
    }

    /// A name that asks for trouble, at the field that gives it.
    private mutating func addFileName(
        _ part: Int, _ name: String?, _ structure: MessageStructure, _ bytes: Span<UInt8>
    ) {
        guard let name else { return }
        let fields = structure.fields(of: part)
        var field = fields.first { $0.isNamed("Content-Disposition", in: bytes) }
        if field == nil { field = fields.first { $0.isNamed("Content-Type", in: bytes) } }
        let offset = field?.offset ?? structure.parts[part].headerOffset
        if SafeFileName.isSuspicious(name) {
            add(PartFinding(.suspiciousFilename, at: offset, part: part, isOuterHeader: part == 0, detail: name))
        }
        if BidiControl.occurs(in: name) {
            add(PartFinding(.bidiControl, at: offset, part: part, isOuterHeader: part == 0))
        }
    }

    private mutating func addLines(
        _ part: Int, _ structure: MessageStructure, _ bytes: Span<UInt8>, _ ending: LineEnding,
        _ passed: ((Int) -> Void)?
    ) {
        let node = structure.parts[part]
        if part != 0 {
            let summary = MessageSummary(
                structure.fields(of: part), in: bytes, isMessage: node.isMessageRoot)
            for defect in summary.defects { add(PartFinding(defect.id, at: defect.offset, part: part)) }
            let header = structure.clamped(node.headerOffset..<max(node.headerOffset, node.bodyOffset), bytes)
            addLines(LineFindings(bytes, header, ending, forbidsNUL: true), part)
        }
        let isPlain = ["7bit", "8bit"].contains(node.encodingName)
        if node.isMessage, node.decodedSource == nil { return }
        if node.children.isEmpty || node.isMessage {
            addLines(
                LineFindings(bytes, structure.clamped(node.body, bytes), ending, forbidsNUL: isPlain, passed: passed),
                part)
            return
        }
        var start = node.bodyOffset
        for child in node.children {
            let gap = start..<max(start, structure.parts[child].headerOffset)
            addLines(LineFindings(bytes, gap, ending, forbidsNUL: true), part)
            start = max(start, structure.parts[child].bodyEnd)
        }
        addLines(LineFindings(bytes, start..<max(start, node.bodyEnd), ending, forbidsNUL: true), part)
    }

    private mutating func addLines(_ lines: LineFindings, _ part: Int) {
        for found in lines.found { add(PartFinding(found.id, at: found.offset, part: part)) }
    }

    package mutating func addOuter(_ id: FindingID, _ offset: Int) {
        add(PartFinding(id, at: offset, part: 0, isOuterHeader: true))
    }
}
