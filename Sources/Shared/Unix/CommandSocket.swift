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
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, theirs.number, 0)
        posix_spawn_file_actions_adddup2(&actions, theirs.number, 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // Safe: the strings live until they are freed below, after the call that reads them.
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sh"), strdup("-c"), strdup(command), nil]
        defer { for pointer in arguments { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &arguments, environ)
        guard code == 0 else { throw SystemError(code: code, operation: "run", subject: command) }
        ours.makeNonBlocking()
        return ours
    }
}
