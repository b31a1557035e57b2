import Bytes
import Glibc
import SMTP
import Unix

/// Who is local, and which Maildir is whose.
package struct LocalRecipients: Sendable {
    /// Why a recipient is not taken.
    package enum Refusal: Error, Equatable, Sendable {
        /// A domain that is not local: relaying would be needed.
        case notLocal
        case noSuchUser
        /// A local-part that cannot be the name of a folder.
        case unusable
    }

    /// The folder that holds a Maildir for each local-part.
    private let root: String
    /// Local domains in lower case; empty: every domain is local.
    private let domains: Set<String>
    /// Known users in lower case, by `local-part` or `local-part@domain`, with a Maildir of their own or nil for the one
    /// below the root; nil: every local-part is known.
    private let users: [String: String?]?

    package init(root: String, domains: [String] = [], users: [String: String?]? = nil) {
        self.root = root
        self.domains = Set(domains.map(\.asciiLowercased))
        self.users = users
    }

    /// The path of a recipient's Maildir.
    ///
    /// Local-parts are compared without case here, as every system of mailboxes does; the sender's spelling is kept in
    /// the envelope (RFC 5321 2.4). A `+tag` is dropped when the whole is no known user.
    package func maildir(for path: Path) throws(Refusal) -> String {
        let domain = path.domain.asciiLowercased
        guard path.domain.isEmpty || domains.isEmpty || domains.contains(domain) else { throw .notLocal }
        let localPart = path.unquotedLocalPart.asciiLowercased
        let untagged = localPart.split(separator: "+", maxSplits: 1).first.map(String.init) ?? localPart
        guard LocalRecipients.isFolderName(localPart) else { throw .unusable }
        guard let users else { return "\(root)/\(untagged)" }
        for name in [localPart, untagged] {
            for key in ["\(name)@\(domain)", name] {
                if let known = users[key] { return known ?? "\(root)/\(name)" }
            }
        }
        throw .noSuchUser
    }

    /// Whether a name can stand as one component of a path: not empty, no `/` or NUL, no leading dot, at most 255 bytes.
    static func isFolderName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != ASCII.dot && bytes[0] != ASCII.plus
            && !bytes.contains { $0 == ASCII.slash || $0.isASCIIControl }
    }

    /// Reads a users file: one address or local-part a line, optionally followed by the Maildir (`path/`) that its mail
    /// goes to; `#` begins a comment.
    ///
    /// - Throws: `UsersFileError` with the line that cannot be read.
    package static func parseUsers(_ bytes: [UInt8]) throws(UsersFileError) -> [String: String?] {
        var users: [String: String?] = [:]
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let text = line.prefix { $0 != UInt8(ascii: "#") && $0 != ASCII.cr }.text
            let words = text.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" }).map {
                String($0).split(separator: " ").joined(separator: " ")
            }
            guard let name = words.first, !name.isEmpty else { continue }
            let localPart = name.split(separator: "@", maxSplits: 1).first.map(String.init) ?? ""
            guard isFolderName(localPart) else {
                throw UsersFileError(line: index + 1, problem: "\(name) cannot be a user")
            }
            guard words.count == 2 else {
                users[name.asciiLowercased] = .some(nil)
                continue
            }
            guard words[1].hasSuffix("/") else {
                throw UsersFileError(
                    line: index + 1, problem: "\(words[1]) is not a Maildir: end its path with a slash")
            }
            users[name.asciiLowercased] = String(words[1].dropLast())
        }
        return users
    }
}

/// A line of a users file that cannot be read.
package struct UsersFileError: Error, Equatable {
    package let line: Int
    package let problem: String
}
