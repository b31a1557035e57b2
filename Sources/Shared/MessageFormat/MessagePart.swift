import Bytes

/// A part of a message: where it stands and what it says it is. Parts lie in one flat array and name each other by
/// their indices; their content stays where it is.
package struct MessagePart: Sendable {
    /// Which bytes the offsets count in: 0 is the message itself, n the n-th of `MessageStructure.decoded` plus one.
    package var source: Int
    /// The multipart or message that holds this part.
    package var parent: Int?
    package var children: [Int] = []
    /// This part's place among its parent's children, from 1.
    package var number = 1
    /// True for the outermost part, and for the body of a message/rfc822 part: its header is a message's.
    package var isMessageRoot = false

    /// The part's header fields, in `MessageStructure.fields`.
    package var fields: Range<Int> = 0..<0
    /// First byte after the boundary line.
    package var headerOffset: Int
    /// First byte after the empty line that ends the header.
    package var bodyOffset: Int
    /// Before the line end that belongs to the next boundary line.
    package var bodyEnd: Int

    /// Type, subtype and parameters, defaults filled in.
    package var contentType = ContentType.plainText
    /// The transfer encoding as it is named; `7bit` when it is not.
    package var encodingName = "7bit" { didSet { encoding = TransferEncoding(encodingName) } }
    package private(set) var encoding = TransferEncoding.identity
    /// The boundary that was looked for, without trailing white space.
    var boundary: [UInt8]?
    /// The index, plus one, of the decoded content of an encoded message part in `MessageStructure.decoded`.
    package var decodedSource: Int?
    /// Where the last child's end was marked, or the part's content ended without a mark.
    var isClosed = false

    package var isMultipart: Bool { contentType.isMultipart }
    /// message/rfc822 and its kin, whose content is a message.
    package var isMessage: Bool { contentType.isMessage }
    /// Neither multipart nor message: it has content of its own.
    package var isLeaf: Bool { !isMultipart && !isMessage }
    package var body: Range<Int> { bodyOffset..<max(bodyOffset, bodyEnd) }

    package init(source: Int, parent: Int?, headerOffset: Int) {
        self.source = source
        self.parent = parent
        self.headerOffset = headerOffset
        bodyOffset = headerOffset
        bodyEnd = headerOffset
    }
}

/// A message taken apart: all parts by offsets, in the order of the tree walked depth first within each source.
///
///     let structure = MessageStructure(file.bytes)
///     for index in structure.walk() { print(structure.path(of: index), structure.parts[index].contentType.name) }
package struct MessageStructure: Sendable {
    /// Index 0 is the root.
    package internal(set) var parts: [MessagePart] = []
    /// The header fields of all parts.
    package internal(set) var fields: [HeaderField] = []
    /// The content of message parts that were base64, quoted-printable or uuencoded.
    package internal(set) var decoded: [[UInt8]] = []
    package internal(set) var findings: [PartFinding] = []
    /// The header fields of a part.
    package func fields(of part: Int) -> ArraySlice<HeaderField> {
        guard parts.indices.contains(part), fields.indices.contains(parts[part].fields.upperBound - 1) else {
            return []
        }
        return fields[parts[part].fields]
    }

    /// The unfolded values of the outer header's fields of a name, in any case.
    package func rawValues(of name: String, in message: Span<UInt8>) -> [[UInt8]] {
        let name = Array(name.utf8)
        return fields(of: 0).filter { $0.isNamed(name.span, in: message) }.map { $0.value(in: message) }
    }

    /// The decoded values of the outer header's fields of a name, in any case.
    package func values(of name: String, in message: Span<UInt8>) -> [String] {
        let name = Array(name.utf8)
        return fields(of: 0).filter { $0.isNamed(name.span, in: message) }.map { $0.text(in: message) }
    }

    /// The bytes that a part's offsets count in. `message` is what the structure was made from.
    package func withSource<Result, Failure: Error>(
        of part: Int, in message: Span<UInt8>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let source = parts[part].source
        if source == 0 { return try body(message) }
        let content = decoded[source - 1]
        return try body(content.span)
    }

    /// The path of a part: `1` for the root, `1.2` for its second child.
    package func path(of part: Int) -> String {
        // From the end to the front, in one buffer: a path may have ten thousand numbers.
        var reversed: [UInt8] = []
        var next: Int? = part
        while let index = next {
            var number = parts[index].number
            repeat {
                reversed.append(ASCII.zero + UInt8(number % 10))
                number /= 10
            } while number > 0
            next = parts[index].parent
            if next != nil { reversed.append(ASCII.dot) }
        }
        return reversed.reversed().text
    }

    /// The part at a path; nil when there is none.
    package func part(at path: String) -> Int? {
        var numbers = path.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }[...]
        guard numbers.popFirst() == 1, !parts.isEmpty else { return nil }
        var index = 0
        for number in numbers {
            guard let number, number >= 1, number <= parts[index].children.count else { return nil }
            index = parts[index].children[number - 1]
        }
        return index
    }

    /// How many levels above a part there are.
    package func depth(of part: Int) -> Int {
        var depth = 0
        var next = parts[part].parent
        while let index = next {
            depth += 1
            next = parts[index].parent
        }
        return depth
    }

    /// All parts below `root` and itself, depth first.
    package func walk(from root: Int = 0) -> [Int] {
        var order: [Int] = []
        var pending = parts.isEmpty ? [] : [root]
        while let index = pending.popLast() {
            order.append(index)
            pending.append(contentsOf: parts[index].children.reversed())
        }
        return order
    }
}

/// A finding of a part; `part` is its index.
package struct PartFinding: Sendable {
    package let id: FindingID
    /// First byte concerned, in the part's source.
    package let offset: Int
    package let part: Int
    /// It stands in the outer header, which belongs to no part.
    package let isOuterHeader: Bool
    /// Says more than the identifier, for people; may be empty.
    package let detail: String

    package init(_ id: FindingID, at offset: Int, part: Int, isOuterHeader: Bool = false, detail: String = "") {
        self.id = id
        self.offset = offset
        self.part = part
        self.isOuterHeader = isOuterHeader
        self.detail = detail
    }
}
