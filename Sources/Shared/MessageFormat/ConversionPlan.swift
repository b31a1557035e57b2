import Bytes

/// Decides what of a message is to be written otherwise for a domain.
struct ConversionPlan {
    private typealias Edit = TransferConversion.Edit
    private typealias Obstacle = TransferConversion.Obstacle

    /// What becomes of a part.
    private enum Fate {
        /// Nothing, or no more than its label says.
        case passes
        case converted(TransferCoding)
        /// It lies in a part whose content is taken as a whole.
        case enclosed
    }

    private let structure: MessageStructure
    private let domain: TransferConversion.Domain
    private let isBinary: Bool
    private let lineEnd: [UInt8]

    private var fates: [Fate] = []
    /// Converted parts, and all that hold one.
    private var changed: Set<Int> = []
    /// Converted parts whose content has 8-bit octets.
    private var eightBitParts: Set<Int> = []
    /// Something cannot pass as it is, and not only should not.
    private var isNecessary = false
    /// The place up to which octets outside of parts' contents have been looked at.
    private var checked = 0

    init(
        _ structure: MessageStructure, _ domain: TransferConversion.Domain, isBinary: Bool, lineEnd: [UInt8]
    ) {
        self.structure = structure
        self.domain = domain
        self.isBinary = isBinary
        self.lineEnd = lineEnd
    }

    mutating func edits(
        _ message: Span<UInt8>, _ passed: ((Int) -> Void)?
    ) throws(TransferConversion.Obstacle) -> [TransferConversion.Edit] {
        fates.reserveCapacity(structure.parts.count)
        for part in structure.parts.indices { fates.append(try fate(of: part, message, passed)) }
        try checkOutside(message, upTo: message.count)
        guard !changed.isEmpty, isNecessary || !structure.isSigned(message) else { return [] }
        var edits: [Edit] = []
        for part in structure.parts.indices { addEdits(of: part, message, to: &edits) }
        return edits
    }

    // MARK: - What becomes of each part

    private mutating func fate(
        of index: Int, _ message: Span<UInt8>, _ passed: ((Int) -> Void)?
    ) throws(TransferConversion.Obstacle) -> Fate {
        let part = structure.parts[index]
        if let parent = part.parent {
            if case .enclosed = fates[parent] { return .enclosed }
            if structure.parts[parent].isTakenWhole { return .enclosed }
        }
        guard part.isTakenWhole || part.isLeaf else { return .passes }
        let survey = BodySurvey(message, part.body, passed)
        try checkOutside(message, upTo: part.bodyOffset)
        checked = max(checked, part.body.upperBound)
        let mustChange = (survey.hasEightBit && domain == .sevenBit) || (isBinary && part.encodingName == "binary")
        guard mustChange || survey.hasLongLine || survey.hasNUL else { return .passes }
        if let obstacle = part.obstacle {
            // Octets that no way has the right to change go as they are, if the way takes them at all.
            if mustChange { throw obstacle }
            return .passes
        }
        if mustChange { isNecessary = true }
        if survey.hasEightBit { eightBitParts.insert(index) }
        noteChange(of: index)
        return .converted(coding(of: part))
    }

    private func coding(of part: MessagePart) -> TransferCoding {
        switch part.encoding {
        case .quotedPrintable: return TransferCoding(source: part.encoding, target: .quotedPrintable, hasLines: true)
        case .base64: return TransferCoding(source: part.encoding, target: .base64, hasLines: true)
        case .identity, .unknown, .uuencode:
            let hasLines = !(isBinary && part.encodingName == "binary")
            let isText =
                part.isMessage
                || (part.contentType.isText && Charset.hasASCIILines(part.contentType["charset"] ?? "us-ascii"))
            return TransferCoding(
                source: .identity, target: isText && hasLines ? .quotedPrintable : .base64, hasLines: hasLines)
        }
    }

    private mutating func noteChange(of part: Int) {
        var next: Int? = part
        while let index = next {
            if !changed.insert(index).inserted { return }
            next = structure.parts[index].parent
        }
    }

    /// Octets that are no part's content cannot be encoded.
    private mutating func checkOutside(_ message: Span<UInt8>, upTo end: Int) throws(TransferConversion.Obstacle) {
        guard checked < end else { return }
        let start = checked
        checked = end
        guard domain == .sevenBit else { return }
        let stretch = message.extracting(start..<end)
        let offset = stretch.endOfASCII(from: 0)
        guard offset < stretch.count else { return }
        let place = start + offset
        let isInHeader = structure.parts.contains { $0.headerOffset <= place && place < $0.bodyOffset }
        throw isInHeader ? .headerField : .outsideParts
    }

    // MARK: - What is written otherwise

    private func addEdits(of index: Int, _ message: Span<UInt8>, to edits: inout [TransferConversion.Edit]) {
        let coding: TransferCoding?
        switch fates[index] {
        case .enclosed: return
        case .passes: coding = nil
        case .converted(let chosen): coding = chosen
        }
        addFields(of: index, coding, message, to: &edits)
        if let coding {
            edits.append(Edit(range: structure.parts[index].body, content: .coded(coding)))
        }
    }

    private func addFields(
        of index: Int, _ coding: TransferCoding?, _ message: Span<UInt8>, to edits: inout [TransferConversion.Edit]
    ) {
        let part = structure.parts[index]
        var added: [UInt8] = []
        // MIME has to be in force where something is encoded.
        if part.isMessageRoot, changed.contains(index) {
            if !has("MIME-Version", index, message) { added += line("MIME-Version: 1.0") }
            // RFC 1428: nobody has said what these octets mean.
            if eightBitParts.contains(index), !has("Content-Type", index, message) {
                added += line("Content-Type: text/plain; charset=unknown-8bit")
            }
        }
        let old = structure.fields(of: index).filter { $0.isNamed("Content-Transfer-Encoding", in: message) }
        let name = coding.map { $0.target.rawValue } ?? labelThatPasses(part)
        let encoding = name.map { line("Content-Transfer-Encoding: \($0)") }
        if let encoding, old.isEmpty, coding != nil { added += encoding }
        if let encoding, part.encodingName != name {
            // All of them, whichever a reader goes by.
            for field in old { edits.append(Edit(range: field.offset..<field.end, content: .bytes(encoding))) }
        }
        let place = endOfFields(part, message)
        // No line that changes may come to be taken for one of this header.
        if !place.hasSeparator, changed.contains(index) { added += lineEnd }
        guard !added.isEmpty else { return }
        edits.append(Edit(range: place.offset..<place.offset, content: .bytes(added)))
    }

    /// A part whose content passes as it is may not say that it is of a wider domain (RFC 2045 6.2, 6.4).
    private func labelThatPasses(_ part: MessagePart) -> String? {
        switch (part.encodingName, domain) {
        case ("8bit", .sevenBit), ("binary", _): domain.label
        default: nil
        }
    }

    private func has(_ name: StaticString, _ part: Int, _ message: Span<UInt8>) -> Bool {
        structure.fields(of: part).contains { $0.isNamed(name, in: message) }
    }

    private func line(_ text: String) -> [UInt8] { Array(text.utf8) + lineEnd }

    /// Where fields can be added to a part's header, and whether the empty line that ends it follows there.
    private func endOfFields(_ part: MessagePart, _ message: Span<UInt8>) -> (offset: Int, hasSeparator: Bool) {
        let body = part.bodyOffset
        var place = body
        if place > part.headerOffset, message[place - 1] == ASCII.lf { place -= 1 }
        if place < body, place > part.headerOffset, message[place - 1] == ASCII.cr { place -= 1 }
        let isEmptyLine = place < body && (place == part.headerOffset || message[place - 1] == ASCII.lf)
        return isEmptyLine ? (place, true) : (body, false)
    }
}

extension MessageStructure {
    /// Somebody vouches for the content of the message as it stands (RFC 6376, RFC 8617).
    package func isSigned(_ message: Span<UInt8>) -> Bool {
        fields(of: 0).contains {
            $0.isNamed("DKIM-Signature", in: message) || $0.isNamed("ARC-Message-Signature", in: message)
        }
    }
}

extension MessagePart {
    /// What is within the content does not matter: it is signed, or it is encoded as one.
    fileprivate var isTakenWhole: Bool {
        contentType.name == "multipart/signed" || contentType.name == "message/global"
            || (isMessage && encoding != .identity)
    }

    /// Why the content may not be encoded anew.
    fileprivate var obstacle: TransferConversion.Obstacle? {
        let name = contentType.name
        if name == "multipart/signed" { return .signed }
        // RFC 2046 5.2; those of RFC 6532 and RFC 6533 may be encoded.
        let isRestricted = name.hasPrefix("message/") && !name.hasPrefix("message/global")
        if isRestricted, encoding == .identity || encoding == .unknown { return .type(name) }
        switch encoding {
        case .uuencode: return .encoding(encodingName)
        // RFC 2045 6.3. Other names that nobody knows are no encodings.
        case .unknown where encodingName.hasPrefix("x-"): return .encoding(encodingName)
        case .identity, .base64, .quotedPrintable, .unknown: return nil
        }
    }
}

/// What stands in the way of a stretch of octets.
private struct BodySurvey {
    private(set) var hasEightBit = false
    private(set) var hasNUL = false
    private(set) var hasLongLine = false

    /// Looks at the stretch a piece at a time.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>, _ passed: ((Int) -> Void)?) {
        var lineStart = range.lowerBound
        var place = range.lowerBound
        while place < range.upperBound {
            let end = min(place + Span<UInt8>.stepOfLongSearch, range.upperBound)
            let step = bytes.extracting(place..<end)
            if !hasEightBit { hasEightBit = step.endOfASCII(from: 0) < step.count }
            if !hasNUL { hasNUL = step.firstIndex(of: ASCII.nul) != nil }
            while !hasLongLine, let lf = bytes.firstIndex(of: ASCII.lf, in: max(lineStart, place)..<end) {
                let hasCR = lf > lineStart && bytes[lf - 1] == ASCII.cr
                hasLongLine = lf - lineStart - (hasCR ? 1 : 0) > LineFindings.longestLine
                lineStart = lf + 1
            }
            if end - place == Span<UInt8>.stepOfLongSearch { passed?(end) }
            place = end
        }
        if range.upperBound - lineStart > LineFindings.longestLine { hasLongLine = true }
    }
}
