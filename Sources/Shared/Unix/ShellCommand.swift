import Glibc

/// Starts `/bin/sh -c` with given descriptors as its standard input and output. Its standard error is ours; signals are as
/// a program expects them.
enum ShellCommand {
    /// Returns the process id. `environment` is added to ours; with `inGroup`, the process has a group of its own.
    static func start(
        _ command: String, input: Int32, output: Int32, environment: [String: String] = [:], inGroup: Bool = false
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
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
        posix_spawnattr_setpgroup(&attributes, 0)
        let group = inGroup ? POSIX_SPAWN_SETPGROUP : 0
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group))

        // Safe: the strings live until they are freed below, after the call that reads them.
        var arguments: [UnsafeMutablePointer<CChar>?] = ["/bin/sh", "-c", command].map { (text: String) in strdup(text)
        }
        arguments.append(nil)
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { (name, value) in
            strdup("\(name)=\(value)")
        }
        var inherited = environ
        while let entry = inherited.pointee {
            let name = String(cString: entry).prefix { $0 != "=" }
            if environment[String(name)] == nil { variables.append(strdup(entry)) }
            inherited += 1
        }
        variables.append(nil)
        defer { for pointer in arguments + variables { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, "/bin/sh", &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw SystemError(code: code, operation: "run", subject: command) }
        return pid
    }
}
