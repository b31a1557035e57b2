import CommandLineTool
import Delivery
import Glibc
import Unix

extension ToolFailure {
    /// A file or folder of messages that cannot be read or written: which, why, and what to do.
    init(_ error: SystemError) {
        let advice: String? =
            switch error.code {
            case ENOENT: "check the name"
            case EISDIR: "give a file, a Maildir or -"
            case EACCES, EPERM: "change its permissions, or be another user"
            case EROFS: "name a place that can be written to"
            case EMFILE, ENFILE: "allow more open files (ulimit -n), or give fewer --connections"
            case _ where error.isOutOfSpace: "make room, or name another place"
            default: nil
            }
        self.init(error.exitCode, error.diagnosis + (advice.map { ": \($0)" } ?? ""))
    }

    /// A queue that cannot be used. With `creating`, it was to be made if it was not there.
    init(queue path: String, _ error: SystemError, creating: Bool) {
        let isUnusable = creating && [ENOTDIR, ENOENT, EEXIST, EROFS, ENOSPC].contains(error.code)
        let code = isUnusable ? ExitCode.cannotCreate : error.exitCode
        let words =
            switch error.code {
            case ENOENT where creating: "cannot be made: \(error.reason): name a folder in one that is there"
            case ENOENT where error.subject == path: "is not there: the first message sent with --queue makes it"
            case ENOENT: "is no queue, for it has no folder tmp: name the folder that --queue made"
            case ENOTDIR, EEXIST: "is not a folder: name another, or move the file away"
            case EACCES, EPERM, EROFS:
                "cannot be \(creating ? "made or opened" : "opened"): \(error.reason): be the user whose queue it is"
            case _ where error.isOutOfSpace: "cannot be made: \(error.reason): make room"
            default: "cannot be opened: \(error.reason)"
            }
        self.init(code, "\(path): \(words)")
    }

    /// A message of a queue whose file cannot be read.
    init(damaged id: QueueID, _ problem: QueueFile.Problem, in queue: Queue) {
        self.init(.dataError, "\(queue.path)/\(id).bsmtp: \(problem): correct it, or --remove \(id)")
    }
}
