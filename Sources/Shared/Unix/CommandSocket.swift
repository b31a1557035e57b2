import CLinux
import Glibc

/// A program run by `/bin/sh -c` with one socket as its standard input and output, as inetd runs its servers.
package enum CommandSocket {
    /// Starts `command`; returns our end, non-blocking. The program has ended when that reads as its end; its exit is
    /// not waited for.
    package static func start(_ command: String) throws(SystemError) -> FileDescriptor {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) == 0 else {
            throw .last("make", "a socket")
        }
        let ours = FileDescriptor(owning: ends[0], subject: command)
        let theirs = FileDescriptor(owning: ends[1], subject: command)
        _ = try ShellCommand.start(command, input: theirs.number, output: theirs.number)
        ours.makeNonBlocking()
        return ours
    }
}
