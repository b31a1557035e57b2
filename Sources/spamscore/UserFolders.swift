import Bytes
import CommandLineTool

/// The folders of the users of a server: one for all, or one each where `--user-dir` has %u, %l or %d.
struct UserFolders: Sendable {
    private let pattern: String?
    private let weights: String?
    /// What those have who have no folder of their own.
    let shared: UserFolder

    init(_ arguments: Arguments) {
        let named = arguments[SpamscoreOptions.userFolder]
        pattern = named.flatMap { $0.contains("%") ? $0 : nil }
        weights = arguments[SpamscoreOptions.weights]
        shared = pattern == nil ? UserFolder(arguments) : UserFolder(path: nil, weights: weights)
    }

    /// The folder of a user; nil when all share one, and for a name that must not become part of a path.
    func folder(of user: String?) -> UserFolder? {
        guard let pattern, let user else { return nil }
        let parts = user.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let values: [Character: String] = ["u": user, "l": parts[0], "d": parts.count > 1 ? parts[1] : ""]
        var path = ""
        var isMarked = false
        for character in pattern {
            if isMarked {
                if let value = values[character] {
                    guard UserFolders.isFolderName(value) else { return nil }
                    path += value
                } else {
                    path.append(character)
                }
                isMarked = false
            } else if character == "%" {
                isMarked = true
            } else {
                path.append(character)
            }
        }
        return UserFolder(path: path, weights: nil)
    }

    private static func isFolderName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != ASCII.dot
            && !bytes.contains { $0 == ASCII.slash || $0.isASCIIControl }
    }
}
