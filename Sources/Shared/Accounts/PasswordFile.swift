import Bytes
import OpenSSL
import Unix

/// A password file as Dovecot's: `user:{SCHEME}secret:uid:gid:gecos:home:shell:extra`, one account a line.
package struct PasswordFile: Sendable {
    /// One line.
    package struct Account: Equatable, Sendable {
        package let user: String
        let secret: StoredSecret
        /// The home directory; nil when the line has none.
        package let home: String?
    }

    private let accounts: [String: Account]
    /// What an unknown user's password is compared with, so that the answer takes as long.
    private let decoy: StoredSecret

    /// Reads the text of a file.
    ///
    /// - Throws: `PasswordFileError` with the line that cannot be read.
    package init(_ bytes: [UInt8]) throws(PasswordFileError) {
        var accounts: [String: Account] = [:]
        var decoy: StoredSecret?
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let text = line.last == ASCII.cr ? line.dropLast().text : line.text
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            let fields = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 2, !fields[0].isEmpty else {
                throw PasswordFileError(line: index + 1, problem: "must be user:{SCHEME}secret")
            }
            guard let secret = StoredSecret(fields[1]) else {
                throw PasswordFileError(
                    line: index + 1, problem: "an unknown password scheme: use {PLAIN}, {CRYPT} or {SHA512-CRYPT}")
            }
            let home = fields.count > 5 && !fields[5].isEmpty ? fields[5] : nil
            guard accounts[fields[0]] == nil else {
                throw PasswordFileError(line: index + 1, problem: "\(fields[0]) stands there twice")
            }
            accounts[fields[0]] = Account(user: fields[0], secret: secret, home: home)
            if decoy == nil || secret.isHashed { decoy = secret }
        }
        self.accounts = accounts
        self.decoy = decoy ?? .plain([])
    }

    /// Whether APOP can be offered: it needs secrets that are stored in the clear.
    package var hasPlainSecrets: Bool { accounts.values.contains { !$0.secret.isHashed } }

    /// The account of `user` when `password` is right; nil when it is not or there is none, in the same time.
    /// Hashing takes long on purpose: call it through `offload`.
    package func account(_ user: String, password: String) throws(OpenSSLError) -> Account? {
        let account = accounts[user]
        let isRight = try (account?.secret ?? decoy).matches(Array(password.utf8))
        return isRight ? account : nil
    }

    /// The account of `user` when `digest` is the MD5 of `timestamp` and its secret (RFC 1939 7).
    package func account(_ user: String, apopDigest digest: String, timestamp: String) throws(OpenSSLError) -> Account?
    {
        let account = accounts[user]
        var secret: [UInt8] = []
        if case .plain(let plain) = account?.secret { secret = plain }
        let expected = Hexadecimal.encode(try Digest.hash(.md5, Array(timestamp.utf8) + secret))
        let isRight = Secret.equal(Array(digest.utf8), Array(expected.utf8))
        guard case .plain = account?.secret else { return nil }
        return isRight ? account : nil
    }
}

/// A line of a password file that cannot be read.
package struct PasswordFileError: Error, Equatable {
    package let line: Int
    package let problem: String
}
