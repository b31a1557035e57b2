import OpenSSL
import SASL
import Unix

/// The users of this system, whose passwords are hashed in shadow(5): only root can judge them.
package struct SystemAccounts: SASLSecrets {
    /// The uids below this one are programs, not people.
    private static let firstPerson: UInt32 = 1_000
    /// Compared for those who have no password: a hash of the kind that new accounts get.
    private static let decoy = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

    package init() {}

    package func supports(_ mechanism: SASLMechanism) -> Bool { mechanism == .plain || mechanism == .login }

    package func judge(_ user: String, password: [UInt8]) -> SASLVerdict {
        if let problem = PasswordHash.problem { return .unavailable(problem) }
        let account: SystemAccount?
        do throws(SystemError) {
            account = try SystemAccount(user)
        } catch {
            return .unavailable("\(error)")
        }
        let hash = account?.passwordHash.flatMap { $0.hasPrefix("$") ? $0 : nil }
        let computed = PasswordHash.compute(password, setting: hash ?? Self.decoy) ?? ""
        guard let account, let hash, account.uid >= Self.firstPerson,
            Secret.equal(Array(computed.utf8), Array(hash.utf8))
        else { return .wrong }
        return .right(
            AuthenticatedUser(account.name, uid: account.uid, gid: account.gid, home: account.home))
    }

    package func judge(_ user: String, token: [UInt8]) -> SASLVerdict { .wrong }

    package func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? { nil }

    package func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        ScramKeys(unusableSalt: Array(user.utf8), digest)
    }
}
