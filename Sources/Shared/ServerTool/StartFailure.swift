import CommandLineTool
import Glibc
import Unix

// Why a server does not start, with what to do about it.
extension ToolFailure {
    /// A file that `option` names cannot be read.
    package init(reading path: String, of option: String, _ error: SystemError) {
        let path = TerminalText.escape(path)
        switch error.code {
        case EACCES, EPERM:
            self.init(.noPermission, "\(path): \(error.reason): let the server's user read it")
        default:
            self.init(.configuration, "\(path): \(error.reason): name a file that can be read with \(option)")
        }
    }

    /// A directory that `option` names cannot be made or written to.
    package init(folder path: String, of option: String, _ error: SystemError) {
        let path = TerminalText.escape(path)
        switch error.code {
        case EACCES, EPERM:
            self.init(
                .noPermission,
                "\(path): \(error.reason): let the server's user write there, or name another directory with \(option)")
        default:
            self.init(.cannotCreate, "\(path): \(error.reason): name another directory with \(option)")
        }
    }

    /// An address cannot be listened on.
    init(listening error: SystemError) {
        let isUnix = error.subject.hasPrefix("unix:")
        let path = String(error.subject.dropFirst(5))
        let advice: String? =
            switch error.code {
            case EADDRINUSE where isUnix && Files.kind(path) == .file:
                "a file is there: remove it, or choose another --listen"
            case EADDRINUSE: "another server is there, choose another --listen"
            case EADDRNOTAVAIL: "this machine has no such address, choose another --listen"
            case EACCES where isUnix: "let the server write to the directory, or choose another --listen"
            case EACCES: "start it as root with --user, or choose a port from 1024 on"
            case ENOENT where isUnix: "make the directory first, or choose another --listen"
            case EMFILE, ENFILE: "allow more open files (ulimit -n)"
            case EAGAIN: "allow more processes (ulimit -u)"
            default: isUnix || error.subject.contains(":") ? "choose another --listen" : nil
            }
        self.init(
            error.code == EACCES ? .noPermission : .osError,
            [error.subject, error.reason, advice].compactMap { $0 }.joined(separator: ": "))
    }

    /// The server cannot become another user.
    init(becoming user: String, _ error: SystemError) {
        switch error.code {
        case EPERM:
            self.init(
                .noPermission, "--user \(user): \(error.reason): start it as root, or as that user without --user")
        case ENOENT: self.init(.configuration, "--user \(user): there is no such user: name another, or make it")
        default: self.init(.configuration, "--user \(user): \(error.reason): name another")
        }
    }
}
