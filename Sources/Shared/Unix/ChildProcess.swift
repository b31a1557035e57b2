import CLinux
import Glibc

/// A program run by `/bin/sh -c`, with pipes to its standard input and output.
package struct ChildProcess: ~Copyable {
    /// Its process id, which is also its process group.
    package let pid: pid_t
    /// The writing end of its standard input.
    package var input: FileDescriptor?
    /// The reading end of its standard output.
    package var output: FileDescriptor?

    /// How a process ended.
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// Starts `command` in a process group of its own. Its standard error is ours. `environment` is added to ours.
    package static func shell(
        _ command: String, environment: [String: String] = [:]
    ) throws(SystemError) -> ChildProcess {
        let toChild = try makePipe()
        let fromChild = try makePipe()
        let pid = try ShellCommand.start(
            command, input: toChild.reading.number, output: fromChild.writing.number, environment: environment,
            inGroup: true)
        return ChildProcess(pid: pid, input: toChild.takeWriting(), output: fromChild.takeReading())
    }

    /// Waits for the end on the event loop; nil when it did not come in time.
    package func waitForEnd(deadline: UInt64? = nil) async throws(SystemError) -> Ending? {
        let number = facteur_pidfd_open(pid)
        guard number >= 0 else { throw .last("watch", "process \(pid)") }
        let watched = try PolledDescriptor(FileDescriptor(owning: number, subject: "process \(pid)"))
        defer { watched.close() }
        while true {
            var status: Int32 = 0
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid { return Self.ending(of: status) }
            guard result == 0 else { throw .last("wait for", "process \(pid)") }
            guard await watched.waitUntilReadable(deadline: deadline) == .ready else { return nil }
        }
    }

    /// Waits for the end on this thread.
    package func ending() -> Ending {
        var status: Int32 = 0
        let result = retryingOnInterrupt { waitpid(pid, &status, 0) }
        // Without a status nothing speaks for success.
        return result == pid ? Self.ending(of: status) : .exited(127)
    }

    private static func ending(of status: Int32) -> Ending {
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    /// Kills the whole process group and takes its end away.
    package func kill() {
        Glibc.kill(-pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    private struct Pipe: ~Copyable {
        var reading: FileDescriptor
        var writing: FileDescriptor

        consuming func takeWriting() -> FileDescriptor { writing }
        consuming func takeReading() -> FileDescriptor { reading }
    }

    private static func makePipe() throws(SystemError) -> Pipe {
        var ends: [Int32] = [-1, -1]
        guard facteur_pipe(&ends) == 0 else { throw .last("make", "a pipe") }
        return Pipe(
            reading: FileDescriptor(owning: ends[0], subject: "a pipe"),
            writing: FileDescriptor(owning: ends[1], subject: "a pipe"))
    }
}

extension FileDescriptor {
    /// Makes reads and writes answer EAGAIN instead of waiting.
    package func makeNonBlocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }
}
