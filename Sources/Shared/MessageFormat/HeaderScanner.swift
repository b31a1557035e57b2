import Bytes

/// Reads header fields line by line, whatever they look like.
///
/// A line that is no field, no continuation and not empty is passed over when a field follows before the first empty
/// line; else the body begins with it.
struct HeaderScanner {
    /// How the header ended.
    enum End: Equatable {
        /// With an empty line; the body begins at this place.
        case emptyLine(body: Int)
        /// The body begins at this place without an empty line.
        case strayLine(body: Int)
        /// A boundary line of an enclosing multipart stands at this place.
        case boundary(at: Int)
        /// The data end; whether the last line has a line end.
        case data(isTerminated: Bool)
    }

    /// The fields; those of this header were appended.
    var fields: [HeaderField]
    /// The first line that is no field although fields follow.
    private(set) var strayLine: Int?
    /// The first field with white space before its colon.
    private(set) var spaceBeforeColon: Int?

    private var name: Range<Int>?
    private var colon = 0
    private var contentEnd = 0
    private var end = 0

    init(fields: consuming [HeaderField] = []) { self.fields = fields }

    /// Scans from `start` to `limit`. `isBoundary` is asked about lines that begin with `--`.
    mutating func scan(
        _ bytes: Span<UInt8>, from start: Int, limit: Int, isBoundary: (Range<Int>) -> Bool
    ) -> End {
        strayLine = nil
        spaceBeforeColon = nil
        var position = start
        var pendingStray: Int?
        var isTerminated = true
        while position < limit {
            let line = bytes.line(at: position, limit: limit)
            isTerminated = line.isTerminated
            let content = line.content
            if bytes.matches("--", at: position), isBoundary(content) {
                closeField()
                if let pendingStray { return ended(stray: pendingStray) }
                return .boundary(at: position)
            }
            switch HeaderLine(bytes, content) {
            case .empty:
                closeField()
                if let pendingStray { return ended(stray: pendingStray) }
                return .emptyLine(body: line.next)
            case .field(let nameEnd, let colonPlace):
                closeField()
                if let stray = pendingStray {
                    strayLine = strayLine ?? stray
                    pendingStray = nil
                }
                if nameEnd != colonPlace { spaceBeforeColon = spaceBeforeColon ?? content.lowerBound }
                name = content.lowerBound..<nameEnd
                colon = colonPlace
                contentEnd = content.upperBound
                end = line.next
            case .continuation where name != nil:
                contentEnd = content.upperBound
                end = line.next
            case .continuation, .other:
                closeField()
                pendingStray = pendingStray ?? position
            }
            position = line.next
        }
        closeField()
        if let pendingStray { return ended(stray: pendingStray) }
        return .data(isTerminated: isTerminated)
    }

    private mutating func ended(stray: Int) -> End {
        strayLine = strayLine ?? stray
        return .strayLine(body: stray)
    }

    private mutating func closeField() {
        guard let name else { return }
        fields.append(HeaderField(name: name, body: (colon + 1)..<contentEnd, end: end))
        self.name = nil
    }
}
