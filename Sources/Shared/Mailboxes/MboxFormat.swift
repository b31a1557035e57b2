/// The variants of mbox: how a body line that begins with `From ` is kept apart from the line that begins a message.
package enum MboxFormat: String, CaseIterable, Sendable {
    /// `From ` is written `>From `; reading cannot know which `>` were added and removes none.
    case mboxo
    /// Every `>*From ` gains one `>` when written and loses it when read: exact both ways.
    case mboxrd
    /// mboxo's quoting, and a `Content-Length` field that counts the body as it stands in the file.
    case mboxcl
    /// `Content-Length` alone; nothing is quoted.
    case mboxcl2

    /// True for the variants whose messages carry a `Content-Length`.
    package var countsContent: Bool { self == .mboxcl || self == .mboxcl2 }
}

/// A defect of an mbox, or a place where reading it took a decision.
package enum MboxFindingID: String, CaseIterable, Sendable {
    /// A message begins without a blank line before its From_ line.
    case missingBlankLine = "missing-blank-line"
    /// A `Content-Length` after which neither a From_ line nor the end follows; it is ignored.
    case badContentLength = "bad-content-length"
    /// A message without `Content-Length` among messages that have one.
    case missingContentLength = "missing-content-length"
    /// A From_ line without a date that can be read.
    case badFromLine = "bad-from-line"
    /// A line of a message that begins with `From ` and is not quoted, but does not begin a message.
    case unquotedFrom = "unquoted-from"
    /// The last line of the mailbox has no line end.
    case missingLastLineEnd = "missing-last-line-end"
    /// The bytes end within a message of batch SMTP.
    case cutOff = "cut-off"
    /// The first message holds a mail program's own data and is no mail.
    case internalData = "internal-data"
}

/// How often a finding was made, and where first, in bytes from the start of the mailbox.
package struct MboxFindings: Equatable, Sendable {
    package struct Places: Equatable, Sendable {
        package var count: Int
        package var first: Int
    }

    package private(set) var places: [MboxFindingID: Places] = [:]

    package init() {}

    package mutating func add(_ id: MboxFindingID, at offset: Int) {
        if let index = places.index(forKey: id) {
            places.values[index].count += 1
        } else {
            places[id] = Places(count: 1, first: offset)
        }
    }

    /// Adds what was found elsewhere.
    package mutating func add(_ id: MboxFindingID, _ more: Places) {
        let old = places[id]
        places[id] = Places(
            count: (old?.count ?? 0) + more.count, first: Swift.min(old?.first ?? more.first, more.first))
    }

    package mutating func remove(_ id: MboxFindingID) { places[id] = nil }

    /// All findings, by the place where they were first made, then by name.
    package var sorted: [(id: MboxFindingID, places: Places)] {
        places.map { (id: $0.key, places: $0.value) }
            .sorted { ($0.places.first, $0.id.rawValue) < ($1.places.first, $1.id.rawValue) }
    }
}
