import Bytes
import CommandLineTool
import Glibc
import OpenSSL
import SMTP
import Unix

/// The user and the password of the command line; the password itself never stands there.
enum CredentialOptions {
    private static let lengthLimit = 65_536

    static func read(_ arguments: Arguments, isOneServer: Bool) throws(ToolFailure) -> ClientCredentials? {
        let file = arguments[SendOptions.passwordFile]
        let descriptor = arguments[SendOptions.passwordDescriptor]
        let mechanism = ClientCredentials.Mechanism(rawValue: arguments[SendOptions.auth].uppercased())
        guard let user = arguments[SendOptions.user] else {
            guard file == nil, descriptor == nil, mechanism == nil else {
                throw ToolFailure(.usage, "--user: is missing: --auth and a password need it")
            }
            return nil
        }
        guard isOneServer else {
            throw ToolFailure(
                .usage, "--user: needs --server: a password is not shown to whoever takes a domain's mail")
        }
        let secret: [UInt8]
        switch (file, descriptor) {
        case (let file?, nil): secret = try readFile(file)
        case (nil, let number?): secret = try readDescriptor(Int32(clamping: number))
        case (.some, .some):
            throw ToolFailure(.usage, "--password-file and --password-fd: exclude each other: give one")
        case (nil, nil): throw ToolFailure(.usage, "--user: needs --password-file or --password-fd")
        }
        return ClientCredentials(
            user: Array(user.utf8), secret: secret, mechanism: mechanism,
            allowedInClear: arguments[SendOptions.tls] == "never",
            keyedDigest: { key, text in (try? HMAC.authenticate(.md5, key: key, text)) ?? [] })
    }

    private static func readFile(_ path: String) throws(ToolFailure) -> [UInt8] {
        do throws(SystemError) {
            return try firstLine(of: FileDescriptor.open(path, O_RDONLY))
        } catch {
            throw ToolFailure(error.exitCode, "--password-file: \(error)")
        }
    }

    private static func readDescriptor(_ number: Int32) throws(ToolFailure) -> [UInt8] {
        do throws(SystemError) {
            return try firstLine(of: FileDescriptor(owning: number, subject: "descriptor \(number)"))
        } catch {
            throw ToolFailure(.noInput, "--password-fd \(number): \(error)")
        }
    }

    private static func firstLine(of file: consuming FileDescriptor) throws(SystemError) -> [UInt8] {
        let bytes = try file.readAll(limit: lengthLimit)
        let line = bytes.prefix { $0 != ASCII.lf }
        return Array(line.last == ASCII.cr ? line.dropLast() : line)
    }
}
