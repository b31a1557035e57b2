import Accounts
import Bytes
import CommandLineTool
import Glibc
import OpenSSL
import ServerTool
import Synchronization
import Unix

/// What the options say, as the sessions use it; files are read again by `reload`.
final class ServiceSettings: Sendable {
    private struct Files: Sendable {
        var accounts: PasswordFile?
        var tls: TLSContext?
    }

    let hostName: String
    let timeout: Duration
    let requiresTLS: Bool
    let allowsPlaintext: Bool
    let failures = FailureLedger()
    private let pattern: String
    private let passwordFile: String?
    private let certificate: CertificateFiles
    private let files: Mutex<Files>

    init(_ arguments: Arguments) throws(ToolFailure) {
        hostName = arguments[Pop3d.hostname] ?? Host.name
        timeout = arguments[Pop3d.server.timeout]
        requiresTLS = arguments[Pop3d.server.requireTLS]
        allowsPlaintext = arguments[Pop3d.allowPlaintext]
        pattern = arguments[Pop3d.maildir] ?? "./mail/%u"
        passwordFile = arguments[Pop3d.passwords]
        certificate = try CertificateFiles(arguments, Pop3d.server)
        if passwordFile != nil, arguments[Pop3d.anyPassword] {
            throw ToolFailure(.usage, "--any-password and --passwd exclude each other")
        }
        files = Mutex(try ServiceSettings.read(passwordFile, certificate))
    }

    var takesAnyPassword: Bool { passwordFile == nil }
    var tls: TLSContext? { files.withLock { $0.tls } }
    var accounts: PasswordFile? { files.withLock { $0.accounts } }

    /// Reads the files again; one that cannot be used leaves things as they were.
    func reload() {
        do throws(ToolFailure) {
            let read = try ServiceSettings.read(passwordFile, certificate)
            files.withLock { $0 = read }
        } catch {
            Diagnostics.say("\(error.message): the files in use stay")
        }
    }

    private static func read(_ passwords: String?, _ certificate: CertificateFiles) throws(ToolFailure) -> Files {
        var files = Files(tls: try certificate.load())
        if let passwords {
            do {
                files.accounts = try PasswordFile(try Unix.Files.read(passwords, limit: 64 << 20))
            } catch let error as SystemError {
                throw ToolFailure(
                    error.code == EACCES ? .noPermission : .configuration, "\(passwords): \(error.reason)")
            } catch let error as PasswordFileError {
                throw ToolFailure(.configuration, "\(passwords):\(error.line): \(error.problem)")
            } catch {
                throw ToolFailure(.configuration, "\(passwords): \(error)")
            }
        }
        return files
    }

    /// The path of a user's Maildir; nil for a name that must not become part of a path.
    func maildir(of user: String, home: String?) -> String? {
        let parts = user.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let domain = parts.count > 1 ? parts[1] : ""
        guard ServiceSettings.isFolderName(user), ServiceSettings.isFolderName(parts[0]),
            domain.isEmpty || ServiceSettings.isFolderName(domain)
        else { return nil }
        var path = ""
        var isMarked = false
        for character in pattern {
            if !isMarked, character == "%" {
                isMarked = true
                continue
            }
            if isMarked {
                switch character {
                case "u": path += user
                case "n": path += parts[0]
                case "d": path += domain
                case "h": path += home ?? "."
                default: path.append(character)
                }
                isMarked = false
            } else {
                path.append(character)
            }
        }
        return path
    }

    private static func isFolderName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != ASCII.dot
            && !bytes.contains { $0 == ASCII.slash || $0.isASCIIControl }
    }
}

/// Wrong passwords by address, so that guessing becomes slow whatever connection it uses.
final class FailureLedger: Sendable {
    private struct Entry {
        var count: Int
        var last: ContinuousClock.Instant
    }

    private static let capacity = 10_000
    private static let memory = Duration.seconds(600)
    private let entries = Mutex<[String: Entry]>([:])

    /// Notes a failure, and tells how long to wait before the answer: from 0.25 s, doubling, up to 5 s.
    func noteFailure(_ address: String) -> Duration {
        let now = ContinuousClock.now
        let count = entries.withLock { entries in
            if entries.count >= FailureLedger.capacity {
                entries = entries.filter { now - $0.value.last < FailureLedger.memory }
                if entries.count >= FailureLedger.capacity { entries.removeAll() }
            }
            var entry = entries[address] ?? Entry(count: 0, last: now)
            if now - entry.last > FailureLedger.memory { entry.count = 0 }
            entry.count += 1
            entry.last = now
            entries[address] = entry
            return entry.count
        }
        return min(.milliseconds(250 << min(count - 1, 5)), .seconds(5))
    }

    func noteSuccess(_ address: String) { entries.withLock { _ = $0.removeValue(forKey: address) } }
}
