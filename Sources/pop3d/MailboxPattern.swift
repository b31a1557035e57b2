import Bytes
import SASL

/// Where the mailboxes of users lie: `%u` the user, `%n` and `%d` the parts of the name around its @, `%h` the home
/// directory, `%%` a percent sign.
struct MailboxPattern: Sendable {
    let text: String

    /// The path for a user; nil for a name that must not become part of a path, or when there is no home directory.
    func path(for user: AuthenticatedUser) -> String? {
        let parts = user.name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let domain = parts.count > 1 ? parts[1] : ""
        guard Self.isFolderName(user.name), Self.isFolderName(parts[0]), domain.isEmpty || Self.isFolderName(domain)
        else { return nil }
        var path = ""
        var isMarked = false
        for character in text {
            guard isMarked else {
                if character == "%" { isMarked = true } else { path.append(character) }
                continue
            }
            isMarked = false
            switch character {
            case "u": path += user.name
            case "n": path += parts[0]
            case "d": path += domain
            case "h":
                guard let home = user.home else { return nil }
                path += home
            default: path.append(character)
            }
        }
        return path
    }

    private static func isFolderName(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...255).contains(bytes.count) && bytes.first != ASCII.dot
            && !bytes.contains { $0 == ASCII.slash || $0.isASCIIControl }
    }
}
