import Bytes
import Glibc
import OpenSSL
import SASL
import Unix

/// A program with the checkpassword interface (https://cr.yp.to/checkpwd/interface.html): it reads user, password and a
/// time stamp, each with a NUL behind it, from descriptor 3; when the password is right it takes on the user's rights,
/// sets HOME, and runs the program that its arguments name. Exit 1 is a wrong password, 111 a temporary failure.
package struct CheckPassword: SASLSecrets {
    private let command: String
    private let timeout: Duration

    /// What the program runs: it tells whose rights it has been given. Dovecot's names of variables are understood too.
    private static let reporter =
        #"printf "%s\n" "${userdb_uid:-$(id -u)}" "${userdb_gid:-$(id -g)}" "${HOME:-}" "#

    /// `command` is a program with its arguments, as the shell reads them.
    package init(command: String, timeout: Duration = .seconds(30)) {
        self.command = command
        self.timeout = timeout
    }

    package func supports(_ mechanism: SASLMechanism) -> Bool { mechanism.sendsSecret }

    package func judge(_ user: String, password: [UInt8]) -> SASLVerdict {
        judge(user, password, mechanism: "PLAIN")
    }

    package func judge(_ user: String, token: [UInt8]) -> SASLVerdict {
        judge(user, token, mechanism: "OAUTHBEARER")
    }

    private func judge(_ user: String, _ secret: [UInt8], mechanism: String) -> SASLVerdict {
        let input = Array(user.utf8) + [0] + secret + [0] + Array("\(SystemClock.now.seconds)".utf8) + [0]
        // So much fits into a pipe whether the program reads it or not.
        guard !user.utf8.contains(0), !secret.contains(0), input.count <= 32_768 else { return .wrong }
        do throws(SystemError) {
            return try run(user, input, mechanism)
        } catch {
            return .unavailable("\(error)")
        }
    }

    private func run(_ user: String, _ input: [UInt8], _ mechanism: String) throws(SystemError) -> SASLVerdict {
        var child = try ChildProcess.shell(
            "exec 3<&0 </dev/null; exec \(command) /bin/sh -c '\(Self.reporter)'",
            environment: ["AUTH": mechanism, "PROTO": "TCP", "HOME": ""])
        // A program that does not read its input judges nonetheless.
        try? child.input?.writeAll(input)
        child.input = nil
        var output: [UInt8] = []
        let deadline = ContinuousClock.now + timeout
        while let number = child.output?.number {
            let left = (deadline - ContinuousClock.now).components.seconds
            var polled = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            guard left >= 0, poll(&polled, 1, Int32(clamping: (left + 1) * 1_000)) > 0 else {
                child.kill()
                return .unavailable("\(command): no answer in time")
            }
            guard let count = try child.output?.read(into: &output, atMost: 4_096), count > 0 else { break }
            if output.count > 65_536 { break }
        }
        child.output = nil
        switch child.ending() {
        case .exited(0): return .right(identity(user, output))
        case .exited(1): return .wrong
        case .exited(let code): return .unavailable("\(command): exit code \(code)")
        case .signalled(let signal): return .unavailable("\(command): ended by signal \(signal)")
        }
    }

    private func identity(_ user: String, _ output: [UInt8]) -> AuthenticatedUser {
        let lines = output.split(separator: ASCII.lf, omittingEmptySubsequences: false).map { $0.text }
        guard lines.count >= 3 else { return AuthenticatedUser(user) }
        return AuthenticatedUser(
            user, uid: UInt32(lines[0]), gid: UInt32(lines[1]), home: lines[2].isEmpty ? nil : lines[2])
    }

    package func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? { nil }

    package func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        ScramKeys(unusableSalt: Array(user.utf8), digest)
    }
}
