import Bytes

/// Writes an mbox of any variant into a buffer that the caller empties.
///
/// A message is begun with its From_ line and its header, gets its further bytes in pieces of any size, and is ended:
///
///     writer.begin(fromLine: line, header: header)
///     writer.write(piece)
///     writer.end()
///     try file.writeAll(writer.output.span.extracting(0..<writer.readyCount))
///     writer.removeReady()
///
/// A message whose last line has no line end gets one, and its From_ line ends with a tab, by which the scanner knows
/// to take that line end away again.
package struct MboxWriter: Sendable {
    /// What ends the From_ line of a message that has no line end of its own at its end. Other readers skip it.
    package static let missingLineEndMark = ASCII.tab
    /// A message is held whole up to this many bytes, so that its length and its end are known when its start is
    /// given away; of a longer one the Content-Length is patched.
    private static let holdLimit = 1 << 20
    private static let placeholderLength = 18

    /// Bytes to be written at a place of the mailbox that has been given away.
    package struct Patch: Equatable, Sendable {
        package let offset: Int
        package let bytes: [UInt8]
    }

    package let format: MboxFormat
    /// What was written and not yet removed; the first `readyCount` bytes will not change any more.
    package private(set) var output: [UInt8] = []
    /// How much of the output may be written to its place.
    package private(set) var readyCount = 0
    /// Patches to be written after the output that precedes them.
    package private(set) var patches: [Patch] = []

    /// What is known beforehand of the end of a message.
    package enum LastLineEnd: Sendable {
        case present
        case missing
        /// Its From_ line gets room for the mark when the message is too long to be held; needs `patches`.
        case uncertain
    }

    private let isCRLF: Bool
    /// The place in the mailbox of the first byte of the output.
    private var base: Int
    private var isHeld = false
    /// Where in the output the mark of a missing line end would go.
    private var markPlace = 0
    private var lastLineEnd = LastLineEnd.present
    /// Where in the mailbox the mark would go, after the message was given away in part.
    private var markPatchPlace: Int?
    /// Where in the output the digits of the Content-Length go.
    private var lengthPlace: Int?
    /// Where in the mailbox they go, after the message was given away in part.
    private var patchPlace: Int?
    /// The place in the mailbox where the counted body begins.
    private var bodyStart = 0
    private var quoting = LineQuoting(.none)
    private var lastByte = ASCII.lf

    /// With `crlf` every line ends with CRLF; a lone LF of a message becomes one. `offset` is the place in the mailbox
    /// where writing begins.
    package init(format: MboxFormat, crlf: Bool = false, offset: Int = 0) {
        self.format = format
        isCRLF = crlf
        base = offset
    }

    private var lineEnd: [UInt8] { isCRLF ? [ASCII.cr, ASCII.lf] : [ASCII.lf] }

    /// Says that writing begins at this place of the mailbox; nothing may have been written yet.
    package mutating func start(at offset: Int) { base = offset }

    /// Line ends for a mailbox that another program left without a blank line at its end.
    package mutating func writeLineEnds(_ count: Int) {
        for _ in 0..<count { output += lineEnd }
        readyCount = output.count
    }

    /// Begins a message: its From_ line without line end, and its header. A header that an empty line closes ends
    /// with it, and `fieldsEnd` is the place before it; a message without is not counted. `lastLineEnd` says what is known of the end of the message's last line.
    package mutating func begin(
        fromLine: [UInt8], header: [UInt8], fieldsEnd: Int?, lastLineEnd: LastLineEnd = .present
    ) {
        readyCount = output.count
        isHeld = true
        lengthPlace = nil
        patchPlace = nil
        markPatchPlace = nil
        lastByte = ASCII.lf
        let line = fromLine.last == Self.missingLineEndMark ? fromLine.dropLast() : fromLine[...]
        output += line
        let isCounted = format.countsContent && fieldsEnd != nil
        markPlace = output.count
        if lastLineEnd == .missing, !isCounted { output.append(Self.missingLineEndMark) }
        self.lastLineEnd = isCounted ? .present : lastLineEnd
        output += lineEnd
        switch format {
        case .mboxo, .mboxcl: quoting = LineQuoting(.from)
        case .mboxrd: quoting = LineQuoting(.fromAndQuoted)
        case .mboxcl2: quoting = LineQuoting(isCounted ? .none : .from)
        }
        guard let fieldsEnd, isCounted, 0...header.count ~= fieldsEnd else { return write(header.span) }
        // The first field, so that what looks like a From_ line in the header is known for what it is; but the last one
        // when it would seem to be folded.
        let place = header.first?.isSpaceOrTab ?? false ? fieldsEnd : 0
        write(header.span.extracting(0..<place))
        quoting.finish(into: &output)
        output += Array("Content-Length: ".utf8)
        lengthPlace = output.count
        output += lineEnd
        write(header.span.extracting(place..<header.count))
        quoting.finish(into: &output)
        bodyStart = base + output.count
    }

    /// The next bytes of the message.
    package mutating func write(_ bytes: Span<UInt8>) {
        guard !bytes.isEmpty else { return }
        if isCRLF {
            let converted = Self.withCRLF(bytes, after: lastByte)
            quoting.write(converted.span, into: &output)
        } else {
            quoting.write(bytes, into: &output)
        }
        lastByte = bytes[bytes.count - 1]
        if isHeld, output.count - readyCount > Self.holdLimit { giveAway() }
        if !isHeld { readyCount = output.count }
    }

    /// Ends the message.
    package mutating func end() {
        quoting.finish(into: &output)
        let length = base + output.count - bodyStart
        let isCounted = lengthPlace != nil || patchPlace != nil
        if lastByte != ASCII.lf || lastLineEnd == .missing {
            output += lineEnd
            if isHeld, !isCounted, output[markPlace] != Self.missingLineEndMark {
                output.insert(Self.missingLineEndMark, at: markPlace)
            }
            if let markPatchPlace { patches.append(Patch(offset: markPatchPlace, bytes: [Self.missingLineEndMark])) }
        }
        output += lineEnd
        let digits = Array(String(length).utf8)
        if let lengthPlace { output.insert(contentsOf: digits, at: lengthPlace) }
        if let patchPlace {
            let padding = [UInt8](repeating: ASCII.space, count: Swift.max(0, Self.placeholderLength - digits.count))
            patches.append(Patch(offset: patchPlace, bytes: padding + digits))
        }
        lengthPlace = nil
        patchPlace = nil
        isHeld = false
        readyCount = output.count
    }

    /// Removes the first `readyCount` bytes of the output, and the patches: they were written.
    package mutating func removeReady() {
        base += readyCount
        output.removeFirst(readyCount)
        markPlace -= readyCount
        lengthPlace = lengthPlace.map { $0 - readyCount }
        readyCount = 0
        patches = []
    }

    /// Gives the ready bytes, and the patches, to `write`; they are done with then.
    package mutating func drain(_ write: (Span<UInt8>, [Patch]) throws -> Void) rethrows {
        var taken: [UInt8] = []
        swap(&taken, &output)
        try write(taken.span.extracting(0..<readyCount), patches)
        swap(&taken, &output)
        removeReady()
    }

    private mutating func giveAway() {
        if lastLineEnd == .uncertain {
            output.insert(ASCII.space, at: markPlace)
            markPatchPlace = base + markPlace
        }
        if let place = lengthPlace {
            output.insert(contentsOf: repeatElement(ASCII.space, count: Self.placeholderLength), at: place)
            bodyStart += Self.placeholderLength
            patchPlace = base + place
            lengthPlace = nil
        }
        isHeld = false
    }

    private static func withCRLF(_ bytes: Span<UInt8>, after previous: UInt8) -> [UInt8] {
        var converted: [UInt8] = []
        converted.reserveCapacity(bytes.count + bytes.count / 16)
        var previous = previous
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte == ASCII.lf, previous != ASCII.cr { converted.append(ASCII.cr) }
            converted.append(byte)
            previous = byte
        }
        return converted
    }
}
