import Bytes
import Mailboxes
import Unix

/// What a directory is by its look.
struct DirectoryLook {
    private(set) var format: MailboxFormat?
    private(set) var reason = ""
    private(set) var isCertain = true
    /// Folders below it, which are read with --recursive only.
    private(set) var subfolders = 0
    private var isEmpty = true

    init(_ path: String) throws {
        let entries: [Directory.Entry]
        do throws(SystemError) {
            entries = try Directory(path).entries()
        } catch {
            throw Source.failure(path, error)
        }
        isEmpty = entries.isEmpty
        let isMaildir = Maildir.isMaildir(path)
        let directories = entries.filter { $0.kind == .directory }.map(\.name.text)
        let folders = directories.filter { !isMaildir || !["cur", "new", "tmp"].contains($0) }
        subfolders = folders.count { $0.utf8.first != ASCII.dot || (isMaildir && Maildir.isMaildir("\(path)/\($0)")) }
        if isMaildir {
            let isPlusPlus = folders.contains { $0.utf8.first == ASCII.dot && Maildir.isMaildir("\(path)/\($0)") }
            format = isPlusPlus ? .maildirPlusPlus : .maildir
            reason = isPlusPlus ? "cur/, new/ and folders .NAME" : "cur/ and new/"
            return
        }
        let files = entries.filter { $0.kind == .file }.map(\.name)
        let numbers = files.count { MessageFiles.number($0) != nil }
        let messages = files.count { MessageFiles.isMessageFile($0) }
        if files.contains(Array(MessageSequences.fileName.utf8)) {
            format = .mh
            reason = MessageSequences.fileName
        } else if numbers > 0, numbers >= messages {
            format = .mh
            reason = "\(numbers) file\(numbers == 1 ? "" : "s") with a number for a name"
            isCertain = numbers == files.count
        } else if messages > 0 {
            format = .eml
            reason = "\(messages) file\(messages == 1 ? "" : "s") .eml"
        }
    }

    /// Why it is no mailbox.
    var refusal: String {
        isEmpty
            ? "an empty directory: nothing tells what it is: give --from"
            : "a directory, but no Maildir: it has no new/ and cur/, and no messages of MH or .eml files"
                + (subfolders > 0 ? ": use --recursive for a tree of folders" : ": give files")
    }
}
