import CLinux
import Foundation

/// A program that a test has started: one of ours from the build folder, or a peer from the PATH.
public final class ToolProcess: @unchecked Sendable {
    public let pid: pid_t
    private var input: Int32
    public let output: Int32
    public let error: Int32
    private var ending: Int32?
    private var pendingOutput: [UInt8] = []

    /// How a finished run ended.
    public struct Result: Sendable {
        /// The exit code, or minus the signal.
        public let status: Int32
        public let bytes: [UInt8]
        public let diagnostics: String
        public var text: String { String(decoding: bytes, as: UTF8.self) }
        public var lines: [String] { text.split(separator: "\n").map(String.init) }
    }

    /// The path of one of our tools, beside the test bundle.
    public static func path(of tool: String) -> String {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent(tool).path
    }

    /// The path of a program that the machine may have; nil when it has not.
    public static func peer(_ name: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Starts a program with pipes to its three standard streams, and with `descriptors` as 3 and so on. `limits` are shell
    /// ulimit words, such as `-f 100`.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
        limits: String? = nil, descriptors: [Int32] = []
    ) throws {
        var executable = program.contains("/") ? program : ToolProcess.path(of: program)
        var words = [program] + arguments
        if directory != nil || limits != nil {
            let change = directory.map { "cd \(ToolProcess.quoted($0)) && " } ?? ""
            let prefix = change + (limits.map { "ulimit \($0) && " } ?? "")
            words = ["/bin/sh", "-c", prefix + "exec \"$0\" \"$@\"", executable] + arguments
            executable = "/bin/sh"
        }
        var ends = [[Int32]](repeating: [-1, -1], count: 3)
        for index in 0..<3 where facteur_pipe(&ends[index]) != 0 { throw TestFailure("no pipe") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0][0], 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1][1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[2][1], 2)
        for (index, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }
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
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { (word: String) in strdup(word) }
        argv.append(nil)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { (name, value) in strdup("\(name)=\(value)") }
        envp.append(nil)
        var child = pid_t()
        let code = posix_spawn(&child, executable, &actions, &attributes, argv, envp)
        for pointer in argv + envp { free(pointer) }
        close(ends[0][0])
        close(ends[1][1])
        close(ends[2][1])
        input = ends[0][1]
        output = ends[1][0]
        error = ends[2][0]
        pid = child
        guard code == 0 else { throw TestFailure("cannot run \(executable): \(String(cString: strerror(code)))") }
        signal(SIGPIPE, SIG_IGN)
    }

    deinit {
        if ending == nil {
            Glibc.kill(pid, SIGKILL)
            _ = wait(seconds: 5)
        }
        closeInput()
        close(output)
        close(error)
    }

    /// Runs a program to its end with `input` on its standard input.
    @discardableResult
    public static func run(
        _ program: String, _ arguments: [String] = [], input: [UInt8] = [], environment: [String: String] = [:],
        directory: String? = nil, limits: String? = nil, seconds: Double = 60
    ) throws -> Result {
        let process = try ToolProcess(
            program, arguments, environment: environment, directory: directory, limits: limits)
        return try process.finish(input: input, seconds: seconds)
    }

    /// Sends `input`, collects everything and waits for the end; kills it and throws after `seconds`.
    public func finish(input bytes: [UInt8] = [], seconds: Double = 60) throws -> Result {
        let deadline = Date().addingTimeInterval(seconds)
        var collected: [[UInt8]] = [pendingOutput, []]
        var sent = 0
        var open = [true, true]
        if bytes.isEmpty { closeInput() } else { _ = fcntl(input, F_SETFL, O_NONBLOCK) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while open[0] || open[1] {
            guard Date() < deadline else {
                Glibc.kill(pid, SIGKILL)
                _ = wait(seconds: 5)
                throw TestFailure("still running after \(seconds) s")
            }
            var polls = [
                pollfd(fd: open[0] ? output : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: open[1] ? error : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: input, events: Int16(POLLOUT), revents: 0),
            ]
            poll(&polls, 3, 200)
            for (index, descriptor) in [output, error].enumerated() where open[index] && polls[index].revents != 0 {
                let count = read(descriptor, &buffer, buffer.count)
                if count > 0 { collected[index] += buffer[..<count] } else { open[index] = false }
            }
            if input >= 0, polls[2].revents != 0 {
                let count = bytes[sent...].withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
                if count > 0 { sent += count }
                if sent == bytes.count || (count < 0 && errno != EAGAIN) { closeInput() }
            }
        }
        guard let status = wait(seconds: max(1, deadline.timeIntervalSinceNow)) else {
            Glibc.kill(pid, SIGKILL)
            _ = wait(seconds: 5)
            throw TestFailure("closed its output but did not end")
        }
        return Result(
            status: status, bytes: collected[0], diagnostics: String(decoding: collected[1], as: UTF8.self))
    }

    /// Writes to its standard input.
    public func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(input, bytes, bytes.count)
    }

    public func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// The next line of its standard output, without the line end; nil at the end or after `seconds`.
    public func nextLine(seconds: Double = 10) -> String? {
        let deadline = Date().addingTimeInterval(seconds)
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            if let end = pendingOutput.firstIndex(of: 10) {
                let line = String(decoding: pendingOutput[..<end], as: UTF8.self)
                pendingOutput.removeFirst(end + 1)
                return line
            }
            var polled = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let left = deadline.timeIntervalSinceNow
            if left <= 0 || poll(&polled, 1, Int32(left * 1_000) + 1) == 0 { return nil }
            let count = read(output, &buffer, buffer.count)
            if count <= 0 { return nil }
            pendingOutput += buffer[..<count]
        }
    }

    public func signal(_ number: Int32) { Glibc.kill(pid, number) }

    /// Ends its children, and then itself: what a tracer traces would live on without it.
    public func killWithChildren() {
        let children = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
        for child in children.split(separator: " ").compactMap({ pid_t($0) }) { Glibc.kill(child, SIGKILL) }
        Glibc.kill(pid, SIGKILL)
    }

    private func signal(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
        _ = Glibc.signal(number, handler)
    }

    /// Waits for the end: the exit code, or minus the signal; nil after `seconds`.
    public func wait(seconds: Double = 30) -> Int32? {
        if let ending { return ending }
        let deadline = Date().addingTimeInterval(seconds)
        while true {
            var status: Int32 = 0
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid {
                let signal = status & 0x7F
                ending = signal == 0 ? (status >> 8) & 0xFF : -signal
                return ending
            }
            if result < 0 || Date() > deadline { return nil }
            usleep(2_000)
        }
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}

/// A reason why a test cannot go on.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
