import Bytes
import OpenSSL
import SASL
import Synchronization
import Unix

/// A password file as Dovecot's: `user:{SCHEME}secret:uid:gid:gecos:home:shell:extra`, one account a line.
package final class PasswordFile: Sendable {
    /// One line.
    struct Account: Sendable {
        let user: AuthenticatedUser
        let secret: StoredSecret
    }

    private struct DerivedKey: Hashable {
        let user: String
        let digest: DigestAlgorithm
    }

    /// What takes long to compute.
    private struct Cache {
        var saltKey: [UInt8]?
        /// SCRAM keys of plain secrets.
        var scramKeys: [DerivedKey: ScramKeys] = [:]
    }

    private let accounts: [String: Account]
    /// What an unknown user's password is compared with, so that the answer takes as long: the slowest scheme that is
    /// there.
    private let decoy: StoredSecret
    /// The file itself, the key of the salts of SCRAM for those who have none stored: they stay the same as long as it
    /// does.
    private let text: [UInt8]
    private let hasPlainSecrets: Bool
    private let scramDigests: Set<DigestAlgorithm>
    private let cache = Mutex(Cache())

    /// Reads the text of a file.
    ///
    /// - Throws: `PasswordFileError` with the line that cannot be read.
    package init(_ bytes: [UInt8]) throws(PasswordFileError) {
        var accounts: [String: Account] = [:]
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let text = line.last == ASCII.cr ? line.dropLast().text : line.text
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            let account = try Self.account(text, line: index + 1)
            guard accounts[account.user.name] == nil else {
                throw PasswordFileError(line: index + 1, problem: "\(account.user.name) stands there twice")
            }
            accounts[account.user.name] = account
        }
        self.accounts = accounts
        let secrets = accounts.values.map(\.secret)
        decoy =
            secrets.first { if case .crypt = $0 { true } else { false } } ?? secrets.first { !$0.isPlain }
            ?? .plain(Array("?".utf8))
        hasPlainSecrets = secrets.contains { $0.isPlain }
        scramDigests = Set(secrets.compactMap { if case .scram(let digest, _) = $0 { digest } else { nil } })
        text = bytes
    }

    private static func account(_ line: String, line number: Int) throws(PasswordFileError) -> Account {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard fields.count >= 2, !fields[0].isEmpty else {
            throw PasswordFileError(line: number, problem: "must be user:{SCHEME}secret")
        }
        guard let secret = StoredSecret(fields[1]) else {
            throw PasswordFileError(
                line: number, problem: "an unknown password scheme: use \(StoredSecret.knownSchemes)")
        }
        func field(_ index: Int) -> String? { fields.count > index && !fields[index].isEmpty ? fields[index] : nil }
        func id(_ index: Int, _ name: String) throws(PasswordFileError) -> UInt32? {
            guard let text = field(index) else { return nil }
            guard let id = UInt32(text), id != .max else {
                throw PasswordFileError(line: number, problem: "the \(name) \(text) is no number")
            }
            return id
        }
        let user = AuthenticatedUser(
            fields[0], uid: try id(2, "uid"), gid: try id(3, "gid"), home: field(5))
        return Account(user: user, secret: secret)
    }
}

extension PasswordFile: SASLSecrets {
    package func supports(_ mechanism: SASLMechanism) -> Bool {
        switch mechanism {
        case .plain, .login, .oauthBearer: true
        case .cramMD5: hasPlainSecrets
        default: hasPlainSecrets || (mechanism.scramDigest.map { scramDigests.contains($0) } ?? false)
        }
    }

    /// Whether the file has an account of that name.
    package func contains(_ user: String) -> Bool { accounts[user] != nil }

    package func judge(_ user: String, password: [UInt8]) -> SASLVerdict {
        let account = accounts[user]
        do throws(OpenSSLError) {
            let isRight = try (account?.secret ?? decoy).matches(password)
            guard isRight, let account else { return .wrong }
            return .right(account.user)
        } catch {
            return .unavailable("\(error)")
        }
    }

    /// A token is as good as the secret that the file has.
    package func judge(_ user: String, token: [UInt8]) -> SASLVerdict { judge(user, password: token) }

    package func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? {
        guard let account = accounts[user], case .plain(let secret) = account.secret else { return nil }
        return (secret, account.user)
    }

    package func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        let account = accounts[user]
        if let account, case .scram(digest, var keys) = account.secret {
            keys.user = account.user
            return keys
        }
        let salt = Array(try HMAC.authenticate(.sha256, key: saltKey(), Array(user.utf8)).prefix(16))
        guard let account, case .plain(let secret) = account.secret else {
            return ScramKeys(unusableSalt: salt, digest)
        }
        let name = DerivedKey(user: user, digest: digest)
        if let keys = cache.withLock({ $0.scramKeys[name] }) { return keys }
        let keys = try ScramKeys(
            password: secret, salt: salt, iterations: ScramKeys.usualIterations, digest, user: account.user)
        cache.withLock { $0.scramKeys[name] = keys }
        return keys
    }

    private func saltKey() throws(OpenSSLError) -> [UInt8] {
        if let key = cache.withLock({ $0.saltKey }) { return key }
        let key = try Digest.hash(.sha256, text)
        cache.withLock { $0.saltKey = key }
        return key
    }
}

/// A line of a password file that cannot be read.
package struct PasswordFileError: Error, Equatable {
    package let line: Int
    package let problem: String
}
