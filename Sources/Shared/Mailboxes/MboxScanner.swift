import Bytes

/// What an mbox holds, piece by piece. Ranges count from the start of the span that was given.
package enum MboxEvent: Equatable, Sendable {
    /// A message begins with the From_ line at `fromLine` (its line end left out), which stands at `offset` of the
    /// mailbox.
    case begin(fromLine: Range<Int>, offset: Int)
    /// The next bytes of the message. mboxrd's quoting is already undone.
    case content(Range<Int>)
    /// The message is complete.
    case end
    /// A `Content-Length` speaks of more than the span holds: a caller who can read the mailbox anywhere answers with
    /// `answer(_:)` what stands at `offset` (up to `MboxScanner.lookLength` bytes); another calls
    /// `waitForContent()` and goes on giving more.
    case look(offset: Int)
}

/// Why something is no mbox.
package enum MboxError: Error, Equatable {
    /// The first line that is not blank does not begin with `From `; the place of that line.
    case notMailbox(offset: Int)
}

/// Finds the messages of an mbox in one pass, in memory that does not depend on their size.
///
/// The caller keeps the bytes: it gives a span of what it has, takes events until there are none, drops the first
/// `consumed` bytes, and comes again with the rest and more behind it. A whole mailbox in one span works the same.
///
///     var scanner = MboxScanner(format: .mboxrd)
///     while let event = try scanner.next(in: bytes, isFinal: true) { ... }
///
/// A message begins at a From_ line with a date after a blank line; at a bare `From `, or one that a well-known header
/// field follows, after a blank line; and without a blank line only at a From_ line with a date whose sender is one
/// word. The one blank line before a From_ line or the end belongs to the mailbox, not to the message.
package struct MboxScanner: Sendable {
    /// How many bytes `MboxEvent.look` wants.
    package static let lookLength = FromLine.lengthLimit + 8
    /// A header longer than this, in bytes, is not looked through for its `Content-Length`.
    private static let headerLimit = 256 << 10

    private enum State: Equatable {
        case start
        /// At the From_ line at this place of the mailbox.
        case fromLine(Int)
        case header
        case body
        /// Before the body of a message with a `Content-Length` that is not yet believed: the end of the body.
        case unproven(Int)
        /// Within a body that ends at this place of the mailbox.
        case counted(Int)
        /// After a counted body: line ends, then a From_ line or the end.
        case afterCounted
        /// A message is complete; the next From_ line stands at this place.
        case ended(Int)
        case lastEnded
        case finished
    }

    package let format: MboxFormat
    /// The findings so far.
    package private(set) var findings = MboxFindings()
    /// Messages begun so far.
    package private(set) var messageCount = 0
    /// Lines `>From ` and `>>From ` (or more `>`) met so far, counted bodies aside.
    package private(set) var quotedOnce = 0
    package private(set) var quotedTwice = 0
    /// Messages whose `Content-Length` proved right.
    package private(set) var countedMessages = 0
    /// Whether the message just begun says, by its From_ line, that the last line end is not its own.
    package private(set) var lacksLineEnd = false
    /// The place where the message just begun ends, when its `Content-Length` proved right.
    package var countedEnd: Int? { if case .counted(let end) = state { end } else { nil } }
    /// How many bytes of the span given to `next` are done with. Read it when `next` returns nil, and drop them.
    package private(set) var consumed = 0

    private var state = State.start
    /// The place in the mailbox of the first byte of the span.
    private var base = 0
    /// The next byte that no event has spoken of is at a line start (of a message).
    private var atLineStart = true
    /// The bytes before it, back to the line start, are all `>`.
    private var afterQuotes = false
    /// Where to go on searching, from the start of the mailbox.
    private var searched = 0
    private var contentLength: Int?
    private var answered: Bool?
    private var waits = false
    private var fromLineStart = 0
    /// The From_ line of the message ended with CRLF.
    private var isCRLF = false

    package init(format: MboxFormat) { self.format = format }

    /// The next event within `bytes`; nil when there is none before more bytes come, or at the end. `isFinal` says
    /// that nothing follows `bytes`.
    package mutating func next(in bytes: Span<UInt8>, isFinal: Bool) throws(MboxError) -> MboxEvent? {
        while true {
            switch state {
            case .start:
                guard try findStart(bytes, isFinal) else { return nil }
            case .fromLine(let offset):
                guard let event = begin(bytes, isFinal, offset) else { return nil }
                return event
            case .header:
                guard readHeader(bytes, isFinal) else { return nil }
            case .unproven(let end):
                if let event = prove(bytes, isFinal, end) { return event }
                if case .unproven = state { return nil }
            case .counted(let end):
                let upper = Swift.min(end - base, bytes.count)
                if consumed < upper {
                    let piece = consumed..<upper
                    consumed = upper
                    return .content(piece)
                }
                if consumed < end - base { return nil }
                state = .afterCounted
            case .afterCounted:
                guard skipLineEnds(bytes, isFinal) else { return nil }
            case .body:
                if let event = readBody(bytes, isFinal) { return event }
                if state == .body { return nil }
            case .ended(let offset):
                state = .fromLine(offset)
                consumed = offset - base
                return .end
            case .lastEnded:
                state = .finished
                consumed = bytes.count
                return .end
            case .finished:
                consumed = bytes.count
                return nil
            }
        }
    }

    /// Says that the first `consumed` bytes were dropped: the next span begins behind them.
    package mutating func dropConsumed() {
        base += consumed
        consumed = 0
    }

    /// The answer to `MboxEvent.look`: the bytes at the place asked for; fewer than `lookLength` only at the end of
    /// the mailbox; nil when the place lies beyond the end.
    package mutating func answer(_ bytes: Span<UInt8>?) {
        guard let bytes else {
            answered = false
            return
        }
        answered = Self.mayEnd(bytes, at: 0)
    }

    /// The other answer to `MboxEvent.look`: the scanner waits until the span given to `next` reaches that far.
    package mutating func waitForContent() { waits = true }

    // MARK: From_ lines

    private mutating func findStart(_ bytes: Span<UInt8>, _ isFinal: Bool) throws(MboxError) -> Bool {
        while consumed < bytes.count, bytes[consumed] == ASCII.lf || bytes[consumed] == ASCII.cr { consumed += 1 }
        if bytes.count - consumed < 5 {
            guard isFinal else { return false }
            if consumed == bytes.count {
                state = .finished
                return true
            }
        }
        guard bytes.matches("From ", at: consumed) else { throw .notMailbox(offset: base + consumed) }
        state = .fromLine(base + consumed)
        return true
    }

    private mutating func begin(_ bytes: Span<UInt8>, _ isFinal: Bool, _ offset: Int) -> MboxEvent? {
        let start = offset - base
        let line = bytes.line(at: start)
        // A line without end, however long, cannot be held: past the limit the rest of it is content.
        guard line.isTerminated || isFinal || bytes.count - start > FromLine.lengthLimit else { return nil }
        let content =
            line.content.count > FromLine.lengthLimit && !line.isTerminated
            ? start..<start + FromLine.lengthLimit : line.content
        isCRLF = line.isTerminated && line.next - content.upperBound == 2
        lacksLineEnd = !content.isEmpty && bytes[content.upperBound - 1] == MboxWriter.missingLineEndMark
        consumed = line.isTerminated ? line.next : content.upperBound
        if FromLine(bytes, content)?.date == nil { findings.add(.badFromLine, at: offset) }
        fromLineStart = offset
        messageCount += 1
        atLineStart = true
        afterQuotes = false
        contentLength = nil
        answered = nil
        waits = false
        searched = base + consumed
        state = format.countsContent ? .header : .body
        return .begin(fromLine: content, offset: offset)
    }

    /// Whether the From_ line at `start` begins a message; nil when more bytes are needed to tell.
    private mutating func isSeparator(
        _ bytes: Span<UInt8>, _ isFinal: Bool, at start: Int, afterBlank: Bool
    ) -> Bool? {
        let line = bytes.line(at: start)
        guard line.isTerminated || isFinal || bytes.count - start > FromLine.lengthLimit else { return nil }
        guard let fromLine = FromLine(bytes, line.content) else { return false }
        if fromLine.date != nil { return afterBlank || fromLine.hasAddress }
        guard afterBlank else { return false }
        return fromLine.isBare ? true : HeaderLine.beginsWellKnownField(bytes, at: line.next, isFinal: isFinal)
    }

    /// Whether a body may end at `place`: the end of the bytes follows, or at most two line ends and a From_ line.
    private static func mayEnd(_ bytes: Span<UInt8>, at place: Int) -> Bool {
        var index = place
        var lineEnds = 0
        while lineEnds < 2, let next = bytes.lineEnd(at: index) {
            index = next
            lineEnds += 1
        }
        if index >= bytes.count { return true }
        guard let fromLine = FromLine(bytes, bytes.line(at: index).content) else { return false }
        return fromLine.date != nil || lineEnds > 0
    }

    // MARK: Content-Length

    /// Looks through the header for its `Content-Length`: to the empty line, or to a line that may begin the next
    /// message. Nothing of it is passed on yet. False when more bytes are needed.
    private mutating func readHeader(_ bytes: Span<UInt8>, _ isFinal: Bool) -> Bool {
        var index = searched - base
        while let lf = bytes.firstIndex(of: ASCII.lf, from: index) {
            let length = lf - index
            if length == 0 || (length == 1 && bytes[index] == ASCII.cr) {
                finishHeader(body: base + lf + 1)
                return true
            }
            // A line of the message's own may look like a From_ line: its Content-Length proves it, when that stands
            // before, or the line is the first.
            if index > consumed, contentLength == nil, bytes.matches("From ", at: index) {
                finishHeader(body: nil)
                return true
            }
            if contentLength == nil { contentLength = HeaderLine.contentLength(bytes, index..<lf) }
            index = lf + 1
            searched = base + index
        }
        guard isFinal || bytes.count - consumed > Self.headerLimit else { return false }
        finishHeader(body: nil)
        return true
    }

    private mutating func finishHeader(body: Int?) {
        searched = base + consumed
        guard let body, let contentLength else {
            if body != nil { findings.add(.missingContentLength, at: fromLineStart) }
            state = .body
            return
        }
        let (end, overflow) = body.addingReportingOverflow(contentLength)
        if overflow {
            findings.add(.badContentLength, at: fromLineStart)
            state = .body
        } else {
            state = .unproven(end)
        }
    }

    /// Settles whether the `Content-Length` is believed. Nil with the state unchanged when more bytes are needed.
    private mutating func prove(_ bytes: Span<UInt8>, _ isFinal: Bool, _ end: Int) -> MboxEvent? {
        if answered == nil {
            let place = end - base
            if isFinal || (place < bytes.count && bytes.count - place >= Self.lookLength) {
                answered = place <= bytes.count && Self.mayEnd(bytes, at: place)
            } else if waits {
                return nil
            } else {
                return .look(offset: end)
            }
        }
        if answered == true {
            countedMessages += 1
            state = .counted(end)
        } else {
            findings.add(.badContentLength, at: fromLineStart)
            state = .body
        }
        return nil
    }

    /// After a counted body: the line ends that belong to the mailbox. False when more bytes are needed.
    private mutating func skipLineEnds(_ bytes: Span<UInt8>, _ isFinal: Bool) -> Bool {
        guard isFinal || bytes.count - consumed >= 9 else { return false }
        var index = consumed
        var lineEnds = 0
        while lineEnds < 2, let next = bytes.lineEnd(at: index) {
            index = next
            lineEnds += 1
        }
        if index >= bytes.count {
            state = .lastEnded
        } else if bytes.matches("From ", at: index) {
            if lineEnds == 0 { findings.add(.missingBlankLine, at: base + index) }
            state = .ended(base + index)
        } else {
            // The mailbox has changed since it was looked at.
            atLineStart = true
            searched = base + consumed
            state = .body
        }
        return true
    }

    // MARK: Bodies that end at a From_ line

    /// The next piece of a message, up to the next From_ line. Nil with the state unchanged when more bytes are needed.
    private mutating func readBody(_ bytes: Span<UInt8>, _ isFinal: Bool) -> MboxEvent? {
        while let place = bytes.firstIndex(of: "From ", in: Swift.max(searched - base, consumed)..<bytes.count) {
            let start = quotesStart(bytes, before: place)
            guard isLineStart(bytes, start) else {
                searched = base + place + 5
                continue
            }
            if place > start {
                searched = base + place + 5
                if place - start == 1 && !(start == consumed && afterQuotes) {
                    quotedOnce += 1
                } else {
                    quotedTwice += 1
                }
                guard format == .mboxrd else { continue }
                // Which of several `>` is left out makes no difference.
                let piece = consumed..<place - 1
                consumed = place
                atLineStart = false
                afterQuotes = false
                if piece.isEmpty { continue }
                return .content(piece)
            }
            let blank = blankLine(bytes, before: place)
            guard let isSeparator = isSeparator(bytes, isFinal, at: place, afterBlank: blank != nil) else {
                searched = base + place
                return hold(bytes, at: place)
            }
            if isSeparator { return endMessage(bytes, at: place, blankLine: blank) }
            findings.add(.unquotedFrom, at: base + place)
            searched = base + place + 5
        }
        return isFinal ? endLastMessage(bytes) : passOn(bytes)
    }

    /// The start of the `>` that stand directly before `place`.
    private func quotesStart(_ bytes: Span<UInt8>, before place: Int) -> Int {
        var start = place
        while start > consumed, bytes[start - 1] == ASCII.greater { start -= 1 }
        return start
    }

    /// Whether `place` is at the start of a line, or after nothing but `>` in it that were passed on.
    private func isLineStart(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
        place == consumed ? atLineStart || afterQuotes : bytes[place - 1] == ASCII.lf
    }

    /// The start of the blank line that ends at `place`; nil when the line before is not blank.
    private func blankLine(_ bytes: Span<UInt8>, before place: Int) -> Int? {
        guard place > consumed, bytes[place - 1] == ASCII.lf else { return nil }
        var start = place - 1
        if start > consumed, bytes[start - 1] == ASCII.cr { start -= 1 }
        return start == consumed ? (atLineStart ? start : nil) : (bytes[start - 1] == ASCII.lf ? start : nil)
    }

    private mutating func endMessage(_ bytes: Span<UInt8>, at place: Int, blankLine: Int?) -> MboxEvent? {
        if blankLine == nil { findings.add(.missingBlankLine, at: base + place) }
        let piece = consumed..<contentEnd(bytes, blankLine ?? place)
        consumed = piece.upperBound
        state = .ended(base + place)
        return piece.isEmpty ? nil : .content(piece)
    }

    private mutating func endLastMessage(_ bytes: Span<UInt8>) -> MboxEvent? {
        var end = bytes.count
        let endsLine = end > consumed ? bytes[end - 1] == ASCII.lf : atLineStart
        if !endsLine {
            findings.add(.missingLastLineEnd, at: base + end)
        } else {
            end = contentEnd(bytes, blankLine(bytes, before: end) ?? end)
        }
        let piece = consumed..<end
        consumed = end
        state = .lastEnded
        return piece.isEmpty ? nil : .content(piece)
    }

    /// The end of the message's own bytes before `end`: before its last line end when that is the mailbox's.
    private func contentEnd(_ bytes: Span<UInt8>, _ end: Int) -> Int {
        guard lacksLineEnd, end > consumed, bytes[end - 1] == ASCII.lf else { return end }
        return isCRLF && end - 1 > consumed && bytes[end - 2] == ASCII.cr ? end - 2 : end - 1
    }

    /// Passes on what cannot be part of a From_ line, quoted or not, or of the line ends before it.
    private mutating func passOn(_ all: Span<UInt8>) -> MboxEvent? {
        // A CR at the end may belong to a line end.
        let bytes = all.count > consumed && all[all.count - 1] == ASCII.cr ? all.extracting(droppingLast: 1) : all
        for length in stride(from: 4, through: 0, by: -1) where bytes.count - length >= consumed {
            let place = bytes.count - length
            guard bytes.beginsFromLine(at: place) else { continue }
            let start = quotesStart(bytes, before: place)
            guard isLineStart(bytes, start) else { continue }
            searched = base + place
            guard place - start > 256 else { return hold(bytes, at: start) }
            // So many `>` are not held: one of them is enough to know that the line is quoted.
            let piece = consumed..<place - 1
            consumed = place - 1
            atLineStart = false
            afterQuotes = true
            return .content(piece)
        }
        searched = base + bytes.count
        let piece = consumed..<bytes.count
        guard !piece.isEmpty else { return nil }
        consumed = bytes.count
        atLineStart = false
        afterQuotes = false
        return .content(piece)
    }

    /// Passes on what stands before the line that begins at `place`, but for the two line ends before it.
    private mutating func hold(_ bytes: Span<UInt8>, at place: Int) -> MboxEvent? {
        var kept = place
        for _ in 0..<2 where kept > consumed && bytes[kept - 1] == ASCII.lf {
            kept -= 1
            if kept > consumed, bytes[kept - 1] == ASCII.cr { kept -= 1 }
        }
        guard kept > consumed else { return nil }
        let piece = consumed..<kept
        atLineStart = bytes[kept - 1] == ASCII.lf
        afterQuotes = false
        consumed = kept
        return .content(piece)
    }
}

extension Span where Element == UInt8 {
    /// The place after the LF or CRLF that stands at `place`; nil when none does.
    func lineEnd(at place: Int) -> Int? {
        guard place < count else { return nil }
        if self[place] == ASCII.lf { return place + 1 }
        return self[place] == ASCII.cr && place + 1 < count && self[place + 1] == ASCII.lf ? place + 2 : nil
    }

    /// Whether what stands between `place` and the end is the start of `From `, or nothing.
    fileprivate func beginsFromLine(at place: Int) -> Bool {
        let text: [UInt8] = [0x46, 0x72, 0x6F, 0x6D, ASCII.space]
        for index in place..<count where index - place >= text.count || self[index] != text[index - place] {
            return false
        }
        return true
    }
}
