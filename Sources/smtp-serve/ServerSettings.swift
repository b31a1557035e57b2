import Bytes
import CommandLineTool
import Delivery
import Glibc
import OpenSSL
import ServerTool
import Synchronization
import Unix

/// What the options say, as the sessions use it; files are read again by `reload`.
final class ServerSettings: Sendable {
    private struct Files: Sendable {
        var recipients: LocalRecipients
        var tls: TLSContext?
    }

    let hostName: String
    let maximumSize: Int
    let maximumRecipients: Int
    let requiresTLS: Bool
    let timeout: Duration
    let isSink: Bool
    let filters: [String]
    let filterTimeout: Duration
    let passesUnfiltered: Bool
    private let root: String
    private let domains: [String]
    private let usersFile: String?
    private let certificate: CertificateFiles
    private let files: Mutex<Files>

    init(_ arguments: Arguments) throws(ToolFailure) {
        hostName = arguments[SmtpServe.hostname] ?? Host.name
        maximumSize = arguments[SmtpServe.maximumSize]
        maximumRecipients = arguments[SmtpServe.maximumRecipients]
        requiresTLS = arguments[SmtpServe.server.requireTLS]
        timeout = arguments[SmtpServe.server.timeout]
        isSink = arguments[SmtpServe.sink]
        filters = arguments[SmtpServe.filter]
        filterTimeout = arguments[SmtpServe.filterTimeout]
        passesUnfiltered = arguments[SmtpServe.filterOpen]
        root = arguments[SmtpServe.mail] ?? "./mail"
        domains = arguments[SmtpServe.domain]
        usersFile = arguments[SmtpServe.users]
        certificate = try CertificateFiles(arguments, SmtpServe.server)
        files = Mutex(
            Files(
                recipients: try ServerSettings.readUsers(root, domains, usersFile),
                tls: try certificate.load()))
    }

    var recipients: LocalRecipients { files.withLock { $0.recipients } }
    var tls: TLSContext? { files.withLock { $0.tls } }

    /// Reads the files again; one that cannot be used leaves things as they were.
    func reload() {
        do throws(ToolFailure) {
            let recipients = try ServerSettings.readUsers(root, domains, usersFile)
            let tls = try certificate.load()
            files.withLock { $0 = Files(recipients: recipients, tls: tls) }
        } catch {
            Diagnostics.say("\(error.message): the files in use stay")
        }
    }

    private static func readUsers(
        _ root: String, _ domains: [String], _ file: String?
    ) throws(ToolFailure) -> LocalRecipients {
        guard let file else { return LocalRecipients(root: root, domains: domains) }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Unix.Files.read(file, limit: 64 << 20)
        } catch {
            throw ToolFailure(error.code == EACCES ? .noPermission : .configuration, "\(file): \(error.reason)")
        }
        do throws(UsersFileError) {
            return LocalRecipients(root: root, domains: domains, users: try LocalRecipients.parseUsers(bytes))
        } catch {
            throw ToolFailure(.configuration, "\(file):\(error.line): \(error.problem)")
        }
    }
}
