import Bytes

/// What a person has done with a message, as a Maildir keeps it in the name and an mbox in the fields `Status` and
/// `X-Status`.
package struct MessageFlags: Equatable, Sendable {
    package var isDraft = false
    package var isFlagged = false
    /// Passed on, resent, bounced.
    package var isPassed = false
    package var isReplied = false
    package var isSeen = false
    package var isTrashed = false
    /// No longer new: a mail program has noticed the message. In a Maildir: it lies in `cur/`.
    package var isOld = false
    /// Letters of a Maildir name that have no meaning here (keywords `a`–`z` and others), in order.
    package var others: [UInt8] = []

    package init() {}

    /// Reads the letters after `:2,` of a Maildir name.
    package init(maildirLetters letters: some Sequence<UInt8>) {
        isOld = true
        for letter in letters {
            switch letter {
            case UInt8(ascii: "D"): isDraft = true
            case UInt8(ascii: "F"): isFlagged = true
            case UInt8(ascii: "P"): isPassed = true
            case UInt8(ascii: "R"): isReplied = true
            case UInt8(ascii: "S"): isSeen = true
            case UInt8(ascii: "T"): isTrashed = true
            default: if !others.contains(letter) { others.append(letter) }
            }
        }
        others.sort()
    }

    /// The letters for a Maildir name, in ASCII order.
    package var maildirLetters: [UInt8] {
        var letters = others
        if isDraft { letters.append(UInt8(ascii: "D")) }
        if isFlagged { letters.append(UInt8(ascii: "F")) }
        if isPassed { letters.append(UInt8(ascii: "P")) }
        if isReplied { letters.append(UInt8(ascii: "R")) }
        if isSeen { letters.append(UInt8(ascii: "S")) }
        if isTrashed { letters.append(UInt8(ascii: "T")) }
        return letters.sorted()
    }

    /// True when a Maildir keeps the message in `cur/`.
    package var belongsInCur: Bool { isOld || !maildirLetters.isEmpty }

    /// The value of `Status`: `R` read, `O` old; empty when the field is not to be written.
    package var status: [UInt8] {
        (isSeen ? [UInt8(ascii: "R")] : []) + (belongsInCur ? [UInt8(ascii: "O")] : [])
    }

    /// The value of `X-Status`: `A` answered, `F` flagged, `D` deleted, `T` draft, `P` passed, and keyword letters;
    /// empty when the field is not to be written.
    package var extendedStatus: [UInt8] {
        var letters: [UInt8] = []
        if isReplied { letters.append(UInt8(ascii: "A")) }
        if isFlagged { letters.append(UInt8(ascii: "F")) }
        if isTrashed { letters.append(UInt8(ascii: "D")) }
        if isDraft { letters.append(UInt8(ascii: "T")) }
        if isPassed { letters.append(UInt8(ascii: "P")) }
        return letters + others.filter { 0x61...0x7A ~= $0 }
    }

    /// Adds what a `Status` or `X-Status` field says. False, and nothing added, when `value` is empty or holds a letter
    /// that is not known: then the field is part of the message.
    package mutating func add(status value: some Sequence<UInt8>, isExtended: Bool) -> Bool {
        var flags = self
        var isEmpty = true
        for letter in value {
            isEmpty = false
            switch (letter, isExtended) {
            case (UInt8(ascii: "R"), false): flags.isSeen = true
            case (UInt8(ascii: "O"), false): flags.isOld = true
            case (UInt8(ascii: "A"), true): flags.isReplied = true
            case (UInt8(ascii: "F"), _): flags.isFlagged = true
            case (UInt8(ascii: "D"), _): flags.isTrashed = true
            case (UInt8(ascii: "T"), true): flags.isDraft = true
            case (UInt8(ascii: "P"), true): flags.isPassed = true
            case (UInt8(ascii: "U"), false), (UInt8(ascii: "N"), false): break
            case (0x61...0x7A, true): if !flags.others.contains(letter) { flags.others.append(letter) }
            default: return false
            }
        }
        guard !isEmpty else { return false }
        flags.others.sort()
        self = flags
        return true
    }
}
