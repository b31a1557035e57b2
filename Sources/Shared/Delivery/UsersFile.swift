import Bytes

/// Known users, one a line: an address or a local-part, optionally followed by how its mail is delivered.
///
///     anna
///     bob@example.net   /srv/mail/bob/
///     carol             /var/mail/carol
///     dave              |procmail -d dave
///     erin              filter='spamscore --filter' filter=spamd:127.0.0.1:783  mail/erin/
package struct UsersFile: Sendable, Equatable {
    package struct User: Sendable, Equatable {
        /// Nil: as without a users file.
        package var target: DeliveryTarget?
        package var filters: [String] = []
    }

    /// By name as `LocalRecipients.key(ofName:)` has it.
    package private(set) var users: [String: User] = [:]

    package init(users: [String: User] = [:]) { self.users = users }

    /// - Throws: `DeliveryFileError` with the line that cannot be read.
    package init(_ bytes: [UInt8]) throws(DeliveryFileError) {
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            do throws(DeliveryFileError.Problem) {
                try read(UsersFile.withoutComment(line))
            } catch {
                throw DeliveryFileError(line: index + 1, problem: error.text)
            }
        }
    }

    /// `#` begins a comment at the start of a line or after white space, but not within quotes.
    private static func withoutComment(_ line: ArraySlice<UInt8>) -> String {
        var quote: UInt8?
        var previous = ASCII.space
        for (place, byte) in line.enumerated() {
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == ASCII.quote || byte == ASCII.apostrophe {
                quote = byte
            } else if byte == UInt8(ascii: "#"), previous.isMailWhitespace {
                return line.prefix(place).text.trimmingWhitespace()
            }
            previous = byte
        }
        return line.text.trimmingWhitespace()
    }

    private mutating func read(_ line: String) throws(DeliveryFileError.Problem) {
        guard !line.isEmpty else { return }
        let name = String(line.prefix { $0 != " " && $0 != "\t" })
        guard LocalRecipients.isUserName(name) else {
            throw .init("\(name) cannot be a user: write a local-part, an address, @domain or *")
        }
        var rest = String(line.dropFirst(name.count)).trimmingWhitespace()
        var user = User()
        while rest.hasPrefix("filter=") {
            let (filter, after) = try UsersFile.word(String(rest.dropFirst(7)))
            user.filters.append(filter)
            rest = after
        }
        if rest.hasPrefix("|") {
            user.target = .program(String(rest.dropFirst()).trimmingWhitespace())
        } else if rest.hasSuffix("/") {
            user.target = .maildir(String(rest.dropLast()))
        } else if !rest.isEmpty {
            user.target = .mbox(rest)
        }
        users[LocalRecipients.key(ofName: name)] = user
    }

    /// The first word, which may stand in quotes, and what follows it.
    private static func word(_ text: String) throws(DeliveryFileError.Problem) -> (word: String, rest: String) {
        guard let first = text.first, first == "'" || first == "\"" else {
            let word = text.prefix { $0 != " " && $0 != "\t" }
            return (String(word), String(text.dropFirst(word.count)).trimmingWhitespace())
        }
        let rest = text.dropFirst()
        guard let close = rest.firstIndex(of: first) else { throw .init("a quote is not closed: close it") }
        return (String(rest[..<close]), String(rest[rest.index(after: close)...]).trimmingWhitespace())
    }
}

/// A line of a users or an aliases file that cannot be read.
package struct DeliveryFileError: Error, Equatable {
    package let line: Int
    package let problem: String

    struct Problem: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }
}

extension String {
    /// Without white space at both ends.
    func trimmingWhitespace() -> String {
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !$0.isMailWhitespace }),
            let last = bytes.lastIndex(where: { !$0.isMailWhitespace })
        else { return "" }
        return bytes[first...last].text
    }
}
