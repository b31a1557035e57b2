import Bytes
import CommandLineTool
import Glibc
import SASL
import Unix

/// The user and the secret of the command line; the secret itself never stands there.
enum CredentialOptions {
    private static let lengthLimit = 1 << 20

    static func read(_ arguments: Arguments, isOneServer: Bool) throws(ToolFailure) -> SASLCredentials? {
        let mechanism = try mechanism(arguments)
        let sources = [
            arguments.isGiven(SendOptions.passwordFile), arguments.isGiven(SendOptions.passwordDescriptor),
            arguments.isGiven(SendOptions.passwordCommand), arguments.isGiven(SendOptions.tokenCommand),
        ]
        let count = sources.count { $0 }
        guard let user = arguments[SendOptions.user] else {
            guard count == 0, mechanism == nil else {
                throw ToolFailure(.usage, "--user: is missing: --auth and a password need it")
            }
            return nil
        }
        guard isOneServer else {
            throw ToolFailure(
                .usage, "--user: needs --server: a password is not shown to whoever takes a domain's mail")
        }
        let names = "--password-file, --password-fd, --password-command or --token-command"
        guard count == 1 else {
            throw ToolFailure(
                .usage, count == 0 ? "--user: needs \(names)" : "\(names): exclude each other: give one")
        }
        let isToken = arguments.isGiven(SendOptions.tokenCommand) || mechanism?.takesToken ?? false
        if let mechanism, isToken != mechanism.takesToken {
            throw ToolFailure(.usage, "--auth \(mechanism.rawValue.asciiLowercased): takes a password, not a token")
        }
        let secret = try secret(arguments)
        guard !secret.isEmpty else { throw ToolFailure(.configuration, "the secret of \(user) is empty") }
        return SASLCredentials(
            user: Array(user.utf8), secret: isToken ? .token(secret) : .password(secret), mechanism: mechanism,
            allowedInClear: arguments[SendOptions.tls] == "never")
    }

    private static func mechanism(_ arguments: Arguments) throws(ToolFailure) -> SASLClientMechanism? {
        guard let name = arguments[SendOptions.auth], name.asciiLowercased != "auto" else { return nil }
        guard let mechanism = SASLClientMechanism(rawValue: name.uppercased()) else {
            let known = SASLClientMechanism.allCases.map(\.rawValue.asciiLowercased).joined(separator: ", ")
            throw ToolFailure(.usage, "--auth \(name): must be one of auto, \(known)")
        }
        return mechanism
    }

    private static func secret(_ arguments: Arguments) throws(ToolFailure) -> [UInt8] {
        if let path = arguments[SendOptions.passwordFile] {
            do throws(SystemError) {
                return try firstLine(of: FileDescriptor.open(path, O_RDONLY))
            } catch {
                throw ToolFailure(error.exitCode, "--password-file: \(error)")
            }
        }
        if let number = arguments[SendOptions.passwordDescriptor] {
            do throws(SystemError) {
                return try firstLine(
                    of: FileDescriptor(owning: Int32(clamping: number), subject: "descriptor \(number)"))
            } catch {
                throw ToolFailure(.noInput, "--password-fd \(number): \(error)")
            }
        }
        if let command = arguments[SendOptions.passwordCommand] { return try output(of: command, "--password-command") }
        return try output(of: arguments[SendOptions.tokenCommand] ?? "", "--token-command")
    }

    private static func output(of command: String, _ option: String) throws(ToolFailure) -> [UInt8] {
        let bytes: [UInt8]
        let status: Int32
        do throws(SystemError) {
            (bytes, status) = try CommandOutput.read(command, limit: lengthLimit)
        } catch {
            throw ToolFailure(.configuration, "\(option): \(error)")
        }
        guard status == 0 else { throw ToolFailure(.configuration, "\(option) \(command): ended with code \(status)") }
        return line(bytes)
    }

    private static func firstLine(of file: consuming FileDescriptor) throws(SystemError) -> [UInt8] {
        line(try file.readAll(limit: lengthLimit))
    }

    private static func line(_ bytes: [UInt8]) -> [UInt8] {
        let line = bytes.prefix { $0 != ASCII.lf }
        return Array(line.last == ASCII.cr ? line.dropLast() : line)
    }
}
