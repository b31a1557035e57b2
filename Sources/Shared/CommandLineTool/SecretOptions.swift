import Bytes
import Glibc
import Unix

/// The options by which a tool is told where a password or a token is: the secret itself never stands on the command
/// line, where every user of the machine can read it.
package struct SecretOptions: Sendable {
    package enum Secret: Equatable, Sendable {
        case password([UInt8])
        /// An OAuth bearer token.
        case token([UInt8])
    }

    package let passwordFile: Option<String?>
    package let passwordDescriptor: Option<Int?>
    package let passwordCommand: Option<String?>
    package let tokenCommand: Option<String?>

    private static let lengthLimit = 1 << 20

    /// What the options are called, for messages.
    package static let names = "--password-file, --password-fd, --password-command or --token-command"

    /// The options under a heading of the tool's help.
    package init(group: String) {
        passwordFile = Option.text(
            "password-file", "F", "the password is the first line of F", group: group, completion: .file)
        passwordDescriptor = Option.integer(
            "password-fd", "N", in: 0...1_048_576, "the password is the first line of descriptor N", group: group)
        passwordCommand = Option.text("password-command", "C", "the password is what C prints", group: group)
        tokenCommand = Option.text("token-command", "C", "the OAuth token is what C prints", group: group)
    }

    package var all: [AnyOption] {
        [
            AnyOption(passwordFile), AnyOption(passwordDescriptor), AnyOption(passwordCommand),
            AnyOption(tokenCommand),
        ]
    }

    /// How many of the options were given; more than one is a mistake.
    package func count(_ arguments: Arguments) -> Int {
        [
            arguments.isGiven(passwordFile), arguments.isGiven(passwordDescriptor), arguments.isGiven(passwordCommand),
            arguments.isGiven(tokenCommand),
        ].count { $0 }
    }

    /// Reads the secret of `user` from where the one option says; nil when none was given.
    package func read(_ arguments: Arguments, of user: String) throws(ToolFailure) -> Secret? {
        guard count(arguments) > 0 else { return nil }
        guard count(arguments) == 1 else { throw ToolFailure(.usage, "\(Self.names): exclude each other: give one") }
        let isToken = arguments.isGiven(tokenCommand)
        let secret = try bytes(arguments)
        guard !secret.isEmpty else { throw ToolFailure(.configuration, "the secret of \(user) is empty") }
        return isToken ? .token(secret) : .password(secret)
    }

    private func bytes(_ arguments: Arguments) throws(ToolFailure) -> [UInt8] {
        if let path = arguments[passwordFile] {
            do throws(SystemError) {
                return try Self.firstLine(of: FileDescriptor.open(path, O_RDONLY))
            } catch {
                throw ToolFailure(error.exitCode, "--password-file: \(error)")
            }
        }
        if let number = arguments[passwordDescriptor] {
            do throws(SystemError) {
                return try Self.firstLine(
                    of: FileDescriptor(owning: Int32(clamping: number), subject: "descriptor \(number)"))
            } catch {
                throw ToolFailure(.noInput, "--password-fd \(number): \(error)")
            }
        }
        if let command = arguments[passwordCommand] { return try Self.output(of: command, "--password-command") }
        return try Self.output(of: arguments[tokenCommand] ?? "", "--token-command")
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
