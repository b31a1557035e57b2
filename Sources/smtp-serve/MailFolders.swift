import CommandLineTool
import Delivery
import Glibc
import ServerTool
import Unix

/// The directories that the options name: whether mail can be put there is found out before any is taken.
struct MailFolders: Sendable {
    private struct Folder: Sendable {
        let path: String
        let option: String
        /// It is there from the start; others are made when the first message comes.
        let isMadeAtStart: Bool
    }

    private var folders: [Folder] = []
    private let user: String?

    init(_ arguments: Arguments, _ store: LocalRecipients.Store) {
        user = arguments[SmtpServe.server.user]
        // Made by root for another, a directory has to be there before root's rights are gone.
        let isForAnother = user != nil && Privileges.canSwitch
        func add(_ path: String?, _ option: String, isMadeAtStart: Bool) {
            guard let path else { return }
            folders.append(Folder(path: path, option: option, isMadeAtStart: isMadeAtStart || isForAnother))
        }
        if let queue = arguments[SmtpServe.queue] {
            add(queue, "--queue", isMadeAtStart: true)
            add("\(queue)/tmp", "--queue", isMadeAtStart: true)
        }
        add(
            arguments[SmtpServe.greylist].map { Greylist($0).directory }, "--greylist", isMadeAtStart: true)
        add(arguments[SmtpServe.quarantine], "--quarantine", isMadeAtStart: false)
        guard !arguments[SmtpServe.sink], arguments[SmtpServe.standardOutput].isEmpty else { return }
        // Known users may all have places of their own.
        let isNamed = arguments[SmtpServe.mail] != nil || arguments[SmtpServe.mbox] != nil
        guard isNamed || arguments[SmtpServe.users] == nil else { return }
        switch store {
        case .maildirs(let path): add(path, "--mail", isMadeAtStart: false)
        case .mboxes(let path): add(path, "--mbox", isMadeAtStart: false)
        case .program: break
        }
    }

    /// Makes what has to be there at the start, and gives it to the user that the server will be.
    func make() throws(ToolFailure) {
        for folder in folders where folder.isMadeAtStart {
            do throws(SystemError) {
                let owner = if let user, Privileges.canSwitch { try SystemAccount(user) } else { nil as SystemAccount? }
                try MailFolders.make(folder.path, for: owner)
            } catch {
                throw ToolFailure(folder: folder.path, of: folder.option, error)
            }
        }
    }

    private static func make(_ path: String, for owner: SystemAccount?) throws(SystemError) {
        if !Files.isDirectory(path) {
            if let parent = Files.parent(of: path), !Files.exists(parent) { try make(parent, for: owner) }
            try Files.makeDirectoryDurably(path, mode: 0o700)
            if let owner { try Files.setOwner(path, uid: owner.uid, gid: owner.gid) }
        }
    }

    /// Whether the server may write to each of them, or to where it will be made. Call when root's rights are gone.
    func check() throws(ToolFailure) {
        for folder in folders {
            do throws(SystemError) {
                try Files.checkWritable(directory: MailFolders.nearest(folder.path))
            } catch {
                throw ToolFailure(folder: error.subject, of: folder.option, error)
            }
        }
    }

    /// The directory itself, or the one above it that is there.
    private static func nearest(_ path: String) -> String {
        var path = path
        while !Files.exists(path), let parent = Files.parent(of: path), parent != path { path = parent }
        return path
    }
}
