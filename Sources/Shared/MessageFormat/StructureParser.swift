import Bytes

extension MessageStructure {
    /// Takes a message apart. `message` begins with the first header field (see `MboxLine` for the line before it).
    /// `passed` is told of places up to which all was looked through.
    package init(_ message: Span<UInt8>, passed: ((Int) -> Void)? = nil) {
        var parser = StructureParser(budget: message.count * 4 + 65_536)
        parser.passed = passed
        parser.parse(message, source: 0, root: parser.addRoot())
        parser.passed = nil
        var next = 0
        while next < parser.encodedMessages.count {
            let part = parser.encodedMessages[next]
            next += 1
            parser.decode(part, message)
        }
        self = parser.structure
    }

    /// Takes a message apart as it stands: what encoded messages in it hold is not looked at.
    package init(encodedForm message: Span<UInt8>, passed: ((Int) -> Void)? = nil) {
        var parser = StructureParser(budget: 0)
        parser.passed = passed
        parser.parse(message, source: 0, root: parser.addRoot())
        self = parser.structure
    }

    /// Only the fields of the outermost header, with a root part that says nothing of its type.
    package init(fieldsOf message: Span<UInt8>) {
        var scanner = HeaderScanner()
        scanner.fields.reserveCapacity(32)
        _ = scanner.scan(message, from: 0, limit: message.count) { _ in false }
        var root = MessagePart(source: 0, parent: nil, headerOffset: 0)
        root.fields = 0..<scanner.fields.count
        fields = scanner.fields
        parts = [root]
    }

    /// Only the outermost header, with a root part that has no children.
    package init(headerOf message: Span<UInt8>) {
        var parser = StructureParser(budget: 0)
        let root = parser.addRoot()
        _ = parser.readHeader(root, message, limit: message.count)
        self = parser.structure
    }
}

/// One pass over the lines of a message; what is open lies on stacks of its own, so depth costs no stack.
struct StructureParser {
    private(set) var structure = MessageStructure()
    /// Message parts whose content must be decoded before it can be taken apart.
    private(set) var encodedMessages: [Int] = []
    /// How many decoded bytes may still be made: nested encodings cannot blow up a message.
    private var budget: Int

    /// The parts that the place is within, outermost first.
    private var open: [Int] = []
    /// Open boundaries, each with the multiparts that use it: their places in `open`, the innermost last.
    private var boundaries: [[UInt8]: [Int]] = [:]
    /// No boundary that was ever open is longer.
    private var longestBoundary = 0
    private var scanner = HeaderScanner()
    var passed: ((Int) -> Void)?

    init(budget: Int) { self.budget = budget }

    mutating func addRoot() -> Int {
        structure.parts.append(MessagePart(source: 0, parent: nil, headerOffset: 0))
        structure.parts[0].isMessageRoot = true
        return 0
    }

    /// Takes `bytes` apart below the part `root`, whose header begins at their start.
    mutating func parse(_ bytes: Span<UInt8>, source: Int, root: Int) {
        open = []
        boundaries = [:]
        longestBoundary = 0
        var part: Int? = root
        var position = 0
        while true {
            if let started = part {
                open.append(started)
                position = readHeader(started, bytes, limit: bytes.count)
                part = descend(started, bytes, source: source, at: position)
                continue
            }
            guard !boundaries.isEmpty, let line = nextBoundary(bytes, from: position) else { break }
            position = line.next
            part = meet(line, bytes, source: source)
        }
        close(downTo: 0, at: bytes.count, isEnd: true)
    }

    // MARK: Headers

    /// Reads a part's header, and returns where its body begins.
    mutating func readHeader(_ part: Int, _ bytes: Span<UInt8>, limit: Int) -> Int {
        var start = structure.parts[part].headerOffset
        if structure.parts[part].isMessageRoot, let line = MboxLine(bytes, at: start), part != 0 { start = line.next }
        let first = structure.fields.count
        scanner.fields = structure.fields
        structure.fields = []
        let boundaries = self.boundaries
        let longest = longestBoundary
        let end = scanner.scan(bytes, from: start, limit: limit) { content in
            StructureParser.boundary(bytes, content, boundaries, longest) != nil
        }
        structure.fields = scanner.fields
        scanner.fields = []
        structure.parts[part].fields = first..<structure.fields.count
        let isOuter = part == 0
        if let stray = scanner.strayLine { note(.headerWithoutColon, stray, part, isOuter) }
        if let place = scanner.spaceBeforeColon { note(.spaceBeforeColon, place, part, isOuter) }
        let body: Int
        switch end {
        case .emptyLine(let place): body = place
        case .strayLine(let place):
            note(.noBody, place, part, isOuter)
            body = place
        case .boundary(let place):
            // The line end before the boundary belongs to it.
            body = max(structure.parts[part].headerOffset, StructureParser.beforeLineEnd(bytes, place))
            if place > structure.parts[part].headerOffset { note(.noBody, body, part, isOuter) }
            structure.parts[part].bodyOffset = body
            structure.parts[part].bodyEnd = body
            readContentFields(part, bytes)
            return place
        case .data(let isTerminated):
            note(.noBody, limit, part, isOuter)
            if !isTerminated { note(.truncatedHeader, limit, part, isOuter) }
            body = limit
        }
        structure.parts[part].bodyOffset = body
        structure.parts[part].bodyEnd = body
        readContentFields(part, bytes)
        return body
    }

    /// Content-Type and Content-Transfer-Encoding: what the structure depends on.
    private mutating func readContentFields(_ part: Int, _ bytes: Span<UInt8>) {
        var type: HeaderField?
        var encoding: HeaderField?
        for field in structure.fields(of: part) {
            if type == nil, field.isNamed("Content-Type", in: bytes) { type = field }
            if encoding == nil, field.isNamed("Content-Transfer-Encoding", in: bytes) { encoding = field }
        }
        let isOuter = part == 0
        let parent = structure.parts[part].parent
        let isDigest = parent.map { structure.parts[$0].contentType.name == "multipart/digest" } ?? false
        if let type {
            let read = ContentType.parse(type.value(in: bytes))
            structure.parts[part].contentType = read.type
            for id in read.defects.sorted() { note(id, type.offset, part, isOuter) }
        } else {
            structure.parts[part].contentType = isDigest ? .message : .plainText
        }
        if let encoding {
            let name = TransferEncoding.name(in: encoding.value(in: bytes))
            structure.parts[part].encodingName = name
            let known = TransferEncoding(name)
            if known == .unknown || (structure.parts[part].isMultipart && known != .identity) {
                note(.unknownEncoding, encoding.offset, part, isOuter, name)
            }
        }
    }

    // MARK: Bodies

    /// Opens what a part's body holds; returns a part that begins at `position` already.
    private mutating func descend(_ part: Int, _ bytes: Span<UInt8>, source: Int, at position: Int) -> Int? {
        if structure.parts[part].isMultipart {
            openMultipart(part)
            return nil
        }
        guard structure.parts[part].isMessage else { return nil }
        switch structure.parts[part].encoding {
        case .identity, .unknown:
            let child = addChild(of: part, source: source, at: structure.parts[part].bodyOffset)
            structure.parts[child].isMessageRoot = true
            return child
        case .base64, .quotedPrintable, .uuencode:
            encodedMessages.append(part)
            return nil
        }
    }

    private mutating func openMultipart(_ part: Int) {
        guard let boundary = structure.parts[part].contentType.boundary else {
            note(.missingBoundary, structure.parts[part].headerOffset, part, false)
            structure.parts[part].isClosed = true
            return
        }
        structure.parts[part].boundary = boundary
        longestBoundary = max(longestBoundary, boundary.count)
        boundaries[boundary, default: []].append(open.count - 1)
    }

    private mutating func addChild(of parent: Int, source: Int, at offset: Int) -> Int {
        let index = structure.parts.count
        structure.parts.append(MessagePart(source: source, parent: parent, headerOffset: offset))
        structure.parts[index].number = structure.parts[parent].children.count + 1
        structure.parts[parent].children.append(index)
        return index
    }

    // MARK: Boundaries

    private struct BoundaryLine {
        let start: Int
        let next: Int
        let boundary: [UInt8]
        let isClosing: Bool
    }

    /// The boundary that a line is one of, if it is open. The whole line is looked for first: a boundary may end with
    /// `--`, and may be the beginning of another.
    private static func boundary(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ boundaries: [[UInt8]: [Int]], _ longest: Int
    ) -> (boundary: [UInt8], isClosing: Bool)? {
        if boundaries.isEmpty { return nil }
        var end = line.upperBound
        while end > line.lowerBound + 2, bytes[end - 1].isSpaceOrTab { end -= 1 }
        let start = line.lowerBound + 2
        guard end >= start, end - start <= longest + 2 else { return nil }
        var name = bytes.array(start..<end)
        if boundaries[name] != nil { return (name, false) }
        guard name.count >= 2, name[name.count - 1] == ASCII.dash, name[name.count - 2] == ASCII.dash else {
            return nil
        }
        name.removeLast(2)
        return boundaries[name] == nil ? nil : (name, true)
    }

    /// The next boundary line at or after `start`, where a line begins.
    private func nextBoundary(_ bytes: Span<UInt8>, from start: Int) -> BoundaryLine? {
        if bytes.matches("--", at: start), let line = boundaryLine(bytes, at: start) { return line }
        var position = start
        while position < bytes.count {
            let end = min(position + Span<UInt8>.stepOfLongSearch, bytes.count)
            guard let found = bytes.firstIndex(of: "\n--", in: position..<end) else {
                if end == bytes.count { return nil }
                passed?(end)
                position = end - 2
                continue
            }
            if let line = boundaryLine(bytes, at: found + 1) { return line }
            position = found + 1
        }
        return nil
    }

    /// The boundary line at `position`, if the line there is one.
    private func boundaryLine(_ bytes: Span<UInt8>, at position: Int) -> BoundaryLine? {
        let line = bytes.line(at: position)
        return StructureParser.boundary(bytes, line.content, boundaries, longestBoundary).map {
            BoundaryLine(start: position, next: line.next, boundary: $0.boundary, isClosing: $0.isClosing)
        }
    }

    /// Ends what a boundary line ends, and returns the part that it begins.
    private mutating func meet(_ line: BoundaryLine, _ bytes: Span<UInt8>, source: Int) -> Int? {
        guard let place = boundaries[line.boundary]?.last, open.indices.contains(place) else { return nil }
        let multipart = open[place]
        close(downTo: place + 1, at: StructureParser.beforeLineEnd(bytes, line.start), isEnd: false)
        if line.isClosing {
            structure.parts[multipart].isClosed = true
            removeBoundary(of: multipart)
            if structure.parts[multipart].children.isEmpty { note(.emptyMultipart, line.start, multipart, false) }
            return nil
        }
        return addChild(of: multipart, source: source, at: line.next)
    }

    private mutating func removeBoundary(of part: Int) {
        guard let boundary = structure.parts[part].boundary else { return }
        boundaries[boundary]?.removeLast()
        if boundaries[boundary]?.isEmpty ?? false { boundaries[boundary] = nil }
    }

    /// Ends all open parts from that place of the stack on.
    private mutating func close(downTo count: Int, at end: Int, isEnd: Bool) {
        while open.count > count, let part = open.popLast() {
            structure.parts[part].bodyEnd = max(structure.parts[part].bodyOffset, end)
            guard structure.parts[part].isMultipart, !structure.parts[part].isClosed else { continue }
            removeBoundary(of: part)
            if structure.parts[part].children.isEmpty {
                note(.missingBoundary, structure.parts[part].bodyOffset, part, false)
            }
            note(.missingCloseBoundary, structure.parts[part].bodyEnd, part, false)
        }
    }

    /// The place before the line end that ends at `place`; a line end belongs to the boundary line after it.
    private static func beforeLineEnd(_ bytes: Span<UInt8>, _ place: Int) -> Int {
        guard place > 0, bytes[place - 1] == ASCII.lf else { return place }
        return place > 1 && bytes[place - 2] == ASCII.cr ? place - 2 : place - 1
    }

    // MARK: Encoded messages

    /// Decodes a message part and takes what it holds apart.
    mutating func decode(_ part: Int, _ message: Span<UInt8>) {
        note(.encodedMessagePart, structure.parts[part].bodyOffset, part, false)
        let body = structure.parts[part].body
        guard body.count <= budget else { return }
        let encoding = structure.parts[part].encoding
        let content = structure.withSource(of: part, in: message) { source in
            encoding.decode(source.extracting(body)).bytes
        }
        budget -= body.count
        structure.decoded.append(content)
        let source = structure.decoded.count
        structure.parts[part].decodedSource = source
        let child = addChild(of: part, source: source, at: 0)
        structure.parts[child].isMessageRoot = true
        parse(content.span, source: source, root: child)
    }

    private mutating func note(
        _ id: FindingID, _ offset: Int, _ part: Int, _ isOuterHeader: Bool, _ detail: String = ""
    ) {
        structure.findings.append(
            PartFinding(id, at: offset, part: part, isOuterHeader: isOuterHeader, detail: detail))
    }
}

/// The line that an mbox puts before a message, when it was left in place: `From ` or `>From `.
package struct MboxLine: Equatable, Sendable {
    /// The line without its line end.
    package let content: Range<Int>
    /// Where the message begins.
    package let next: Int

    /// The line at `offset`, when it is one; `From :` with white space before its colon is a field.
    package init?(_ bytes: Span<UInt8>, at offset: Int = 0) {
        guard bytes.matches("From ", at: offset) || bytes.matches(">From ", at: offset) else { return nil }
        let line = bytes.line(at: offset)
        if case .field = HeaderLine(bytes, line.content) { return nil }
        content = line.content
        next = line.next
    }
}
