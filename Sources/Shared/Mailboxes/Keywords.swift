import Bytes
import Glibc
import Unix

/// Keywords of messages: the names that IMAP gives to flags of users' own. Dovecot and UW keep them in the field
/// `X-Keywords` of an mbox; a Maildir has a letter for each, `a` to `z`, and their names in the file `dovecot-keywords`.
package enum Keyword {
    /// Whether `bytes` are an atom of IMAP (RFC 9051 9), as the name of a keyword is.
    package static func isName(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.count <= 128
            && bytes.allSatisfy { 0x21...0x7E ~= $0 && !excluded.contains($0) }
    }

    private static let excluded: [UInt8] = Array("(){%*\"\\]".utf8)

    /// The names in the value of a field, parted by white space; nil when there is none, or one is no name.
    package static func names(in value: [UInt8]) -> [[UInt8]]? {
        let words = value.split { $0.isMailWhitespace }.map { Array($0) }
        for word in words where !isName(word) { return nil }
        return words.isEmpty ? nil : words
    }
}

/// What the letters `a` to `z` of one Maildir mean: the content of `dovecot-keywords`, lines of a number and a name.
package struct KeywordLetters: Equatable, Sendable {
    package static let fileName = "dovecot-keywords"
    private static let limit = 26

    /// The names by their numbers; nil where there is a gap.
    private var names: [[UInt8]?] = []

    package init() {}

    /// Reads the file's content; lines that cannot be read are left out.
    package init(_ bytes: [UInt8]) {
        for line in bytes.split(separator: ASCII.lf) {
            let words = line.split(separator: ASCII.space, maxSplits: 1)
            guard words.count == 2, let number = Int(words[0].text), 0..<Self.limit ~= number,
                Keyword.isName(words[1])
            else { continue }
            while names.count <= number { names.append(nil) }
            names[number] = Array(words[1])
        }
    }

    package var isEmpty: Bool { names.isEmpty }

    /// The name behind a letter.
    package func name(of letter: UInt8) -> [UInt8]? {
        guard letter >= 0x61, Int(letter) - 0x61 < names.count else { return nil }
        return names[Int(letter) - 0x61]
    }

    /// The letter of a name, which is given one when it has none; nil when all are taken. Names count as equal in upper
    /// and lower case.
    package mutating func letter(for name: [UInt8]) -> UInt8? {
        let folded = name.map(\.asciiLowercased)
        if let place = names.firstIndex(where: { $0?.map(\.asciiLowercased) == folded }) {
            return 0x61 + UInt8(place)
        }
        guard names.count < Self.limit else { return nil }
        names.append(name)
        return 0x61 + UInt8(names.count - 1)
    }

    /// The file's content.
    package var bytes: [UInt8] {
        names.enumerated().flatMap { number, name in name.map { Array("\(number) ".utf8) + $0 + [ASCII.lf] } ?? [] }
    }
}

extension Maildir {
    /// The names of keywords; empty when the Maildir has none.
    package func keywordLetters() -> KeywordLetters {
        KeywordLetters((try? Files.read("\(path)/\(KeywordLetters.fileName)", limit: 64 << 10)) ?? [])
    }

    /// Takes away the lock of `write` that a program which was killed has left; one that is at work keeps its.
    package func breakKeywordLock() { _ = try? DotLock.tryAcquire(keywordLock) }

    /// The path, without `.lock`, of the lock that Dovecot takes for its lists.
    private var keywordLock: String { "\(path)/dovecot-uidlist" }

    /// Writes the names of keywords, under the lock that Dovecot takes for it.
    package func write(_ letters: KeywordLetters) throws(SystemError) {
        let lock = try DotLock.acquire(keywordLock, timeout: .seconds(10))
        guard lock != nil else { throw SystemError(code: EAGAIN, operation: "lock", subject: keywordLock) }
        try Files.writeDurably("\(path)/\(KeywordLetters.fileName)", letters.bytes, mode: 0o600)
    }
}
