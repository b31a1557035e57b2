import Bytes
import CommandLineTool
import Mailboxes
import Unix

/// The mailboxes of a tree of folders, as --recursive finds them: Maildirs and the Maildir++ folders in them, mboxes,
/// directories of MH and of `.eml` files, in directories of any depth.
struct SourceFolders {
    /// Deeper trees are taken for loops.
    private static let deepest = 64

    private let look: Source.Look
    private(set) var sources: [Source] = []
    /// What was left out, and why.
    private(set) var others: [String] = []

    init(_ name: String, _ look: Source.Look) throws {
        self.look = look
        guard name != "-", Files.isDirectory(name) else {
            sources = [try Source(name, look)]
            return
        }
        let path = name.utf8.count > 1 && name.utf8.last == ASCII.slash ? String(name.dropLast()) : name
        try addDirectory(path, [])
        guard !sources.isEmpty else {
            let reason = others.first.map { ": \($0)" } ?? ": give a directory that holds some"
            throw ToolFailure(.dataError, "\(name): no mailboxes in it\(reason)")
        }
    }

    private mutating func addDirectory(_ path: String, _ folder: [String]) throws {
        guard folder.count <= Self.deepest else {
            throw ToolFailure(.dataError, "\(path): too deep a tree: give a folder of it")
        }
        let found = try DirectoryLook(path)
        if let format = found.format {
            if look.given.map({ $0 == format || ($0.isMaildir && format.isMaildir) }) ?? true {
                try add(path, folder)
            }
        }
        for entry in try entries(path).sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
            let name = PathText.text(entry.name)
            switch entry.kind {
            case .directory: try addSubdirectory("\(path)/\(name)", name, folder, found.format)
            case .file:
                let isMessage = found.format == .mh || found.format == .eml || (found.format?.isMaildir ?? false)
                if !isMessage { try addFile("\(path)/\(name)", name, folder) }
            case .other: break
            }
        }
    }

    private func entries(_ path: String) throws -> [Directory.Entry] {
        do throws(SystemError) { return try Directory(path).entries() } catch { throw Source.failure(path, error) }
    }

    private mutating func addSubdirectory(
        _ path: String, _ name: String, _ folder: [String], _ parent: MailboxFormat?
    ) throws {
        if parent?.isMaildir ?? false {
            if ["cur", "new", "tmp"].contains(name) { return }
            if let parts = FolderName.parts(ofMaildirPlusPlus: name) {
                if Maildir.isMaildir(path) { try add(path, folder + parts) }
                return
            }
        }
        if name.utf8.first == ASCII.dot || name.hasSuffix(FetchStore.suffix) { return }
        // Thunderbird keeps the folders below a folder in NAME.sbd.
        let part = name.hasSuffix(".sbd") && name != ".sbd" ? String(name.dropLast(4)) : name
        try addDirectory(path, folder + [part])
    }

    private mutating func addFile(_ path: String, _ name: String, _ folder: [String]) throws {
        let isOther = [".msf", ".lock", ".json", ".dat", ".html", ".mboxconv-journal", ".mboxconv-partial"]
            .contains { name.hasSuffix($0) }
        if name.utf8.first == ASCII.dot || isOther { return }
        var stem = name
        for suffix in [".gz", ".zst", ".xz", ".bz2", ".mbox", ".mbx", ".bsmtp"] where stem.hasSuffix(suffix) {
            stem.removeLast(suffix.count)
        }
        do {
            try add(path, folder + (stem.isEmpty ? [name] : [stem]))
        } catch let failure as ToolFailure where failure.exitCode == .dataError {
            others.append("\(path): no mailbox: left out")
        }
    }

    private mutating func add(_ path: String, _ folder: [String]) throws {
        var source = try Source(path, look)
        // The inbox is the tree's own mailbox, whatever the layout calls it.
        source.folder = folder.count == 1 && folder[0].asciiLowercased == "inbox" ? [] : folder
        sources.append(source)
    }
}
