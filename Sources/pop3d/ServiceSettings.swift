import Accounts
import Bytes
import CommandLineTool
import Glibc
import OpenSSL
import POP3
import SASL
import ServerTool
import Synchronization
import Unix

/// What the options say, as the sessions use it; files are read again by `reload`.
final class ServiceSettings: Sendable {
    private struct Files: Sendable {
        var secrets: any SASLSecrets
        var mechanisms: [SASLMechanism]
        var tls: TLSContext?
    }

    let hostName: String
    let timeout: Duration
    let requiresTLS: Bool
    let allowsPlaintext: Bool
    let trustsLoopback: Bool
    let isReadOnly: Bool
    let loginDelay: Duration
    let expiry: POP3Session.Configuration.Expiry
    let failures = LoginFailures()
    let users: UserLedger
    let takesAnyPassword: Bool
    private let snapshots = SnapshotCache()
    private let pattern: MailboxPattern
    private let isMbox: Bool
    private let passwordFile: String?
    private let others: [any SASLSecrets]
    private let certificate: CertificateFiles
    private let files: Mutex<Files>

    init(_ arguments: Arguments) throws(ToolFailure) {
        hostName = arguments[Pop3d.hostname] ?? Host.name
        guard hostName.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.less && $0 != ASCII.greater }),
            (1...200).contains(hostName.utf8.count)
        else { throw ToolFailure(.usage, "--hostname \(hostName): must be a host name") }
        timeout = arguments[Pop3d.server.timeout]
        requiresTLS = arguments[Pop3d.server.requireTLS]
        allowsPlaintext = arguments[Pop3d.allowPlaintext]
        trustsLoopback = !arguments[Pop3d.distrustLoopback]
        isReadOnly = arguments[Pop3d.readOnly]
        loginDelay = arguments[Pop3d.loginDelay]
        expiry = try ServiceSettings.expiry(arguments[Pop3d.expire])
        users = UserLedger(maximumSessions: arguments[Pop3d.maximumPerUser], loginDelay: loginDelay)
        if arguments[Pop3d.trustLoopback], !trustsLoopback {
            throw ToolFailure(.usage, "--trust-loopback and --no-trust-loopback exclude each other")
        }
        guard arguments[Pop3d.maildir] == nil || arguments[Pop3d.mbox] == nil else {
            throw ToolFailure(.usage, "--maildir and --mbox exclude each other")
        }
        isMbox = arguments[Pop3d.mbox] != nil
        pattern = MailboxPattern(text: arguments[Pop3d.mbox] ?? arguments[Pop3d.maildir] ?? "./mail/%u")
        passwordFile = arguments[Pop3d.passwords]
        certificate = try CertificateFiles(arguments, Pop3d.server)
        var others: [any SASLSecrets] = []
        if let command = arguments[Pop3d.checkPassword] { others.append(CheckPassword(command: command)) }
        if arguments[Pop3d.system] { others.append(SystemAccounts()) }
        takesAnyPassword = passwordFile == nil && others.isEmpty
        if !takesAnyPassword, arguments[Pop3d.anyPassword] {
            throw ToolFailure(.usage, "--any-password excludes --passwd, --checkpassword and --system")
        }
        self.others = takesAnyPassword ? [AnyPassword()] : others
        files = Mutex(try ServiceSettings.read(passwordFile, self.others, certificate))
    }

    private static func expiry(_ text: String?) throws(ToolFailure) -> POP3Session.Configuration.Expiry {
        guard let text, !text.equalsIgnoringCase("never") else { return .never }
        guard let days = Int(text), 0...36_500 ~= days else {
            throw ToolFailure(.usage, "--expire \(text): must be a number of days, or never")
        }
        return .days(days)
    }

    var tls: TLSContext? { files.withLock { $0.tls } }
    /// Those who know the accounts, and the mechanisms that they can be used with.
    var accounts: (secrets: any SASLSecrets, mechanisms: [SASLMechanism]) {
        files.withLock { ($0.secrets, $0.mechanisms) }
    }

    /// Reads the files again; one that cannot be used leaves things as they were.
    func reload() {
        do throws(ToolFailure) {
            let read = try ServiceSettings.read(passwordFile, others, certificate)
            files.withLock { $0 = read }
        } catch {
            Diagnostics.say("\(error.message): the files in use stay")
        }
    }

    private static func read(
        _ passwords: String?, _ others: [any SASLSecrets], _ certificate: CertificateFiles
    ) throws(ToolFailure) -> Files {
        var file: PasswordFile?
        if let passwords {
            do {
                file = try PasswordFile(try Unix.Files.read(passwords, limit: 64 << 20))
            } catch let error as SystemError {
                throw ToolFailure(
                    error.code == EACCES ? .noPermission : .configuration, "\(passwords): \(error.reason)")
            } catch let error as PasswordFileError {
                throw ToolFailure(.configuration, "\(passwords):\(error.line): \(error.problem)")
            } catch {
                throw ToolFailure(.configuration, "\(passwords): \(error)")
            }
        }
        let secrets = AccountSources(file: file, others: others)
        // The strongest first, as clients take the first that they know.
        let mechanisms: [SASLMechanism] = [
            .scramSHA256Plus, .scramSHA1Plus, .scramSHA256, .scramSHA1, .cramMD5, .plain, .login, .oauthBearer,
        ]
        return Files(
            secrets: secrets, mechanisms: mechanisms.filter { secrets.supports($0) }, tls: try certificate.load())
    }

    /// Opens the mailbox of a user with the user's rights. Blocks.
    func open(_ user: AuthenticatedUser, _ rights: Privileges.Rights?) -> Result<any MailStore, MailStoreFailure> {
        guard let path = pattern.path(for: user) else {
            return .failure(.permanent("\(user.name): no mailbox can have this name"))
        }
        let days: Int? = if case .days(let days) = expiry, days > 0 { days } else { nil }
        let options = MaildirStore.Options(isReadOnly: isReadOnly, expiryDays: days)
        let opened = Privileges.acting(as: rights) { () -> Result<any MailStore, MailStoreFailure> in
            do throws(MailStoreFailure) {
                if isMbox { return .success(try MboxStore(path: path)) }
                return .success(try MaildirStore(path: path, snapshots, options))
            } catch {
                return .failure(error)
            }
        }
        return opened ?? .failure(.temporary("\(user.name): the rights of the account cannot be taken on"))
    }
}
