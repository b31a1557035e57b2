import OpenSSL
import SASL

/// Several sources of accounts in their order: a password file answers for the users that it names, the next sources
/// for the others.
package struct AccountSources: SASLSecrets {
    private let file: PasswordFile?
    private let others: [any SASLSecrets]

    package init(file: PasswordFile?, others: [any SASLSecrets]) {
        self.file = file
        self.others = others
    }

    package func supports(_ mechanism: SASLMechanism) -> Bool {
        (file?.supports(mechanism) ?? false) || others.contains { $0.supports(mechanism) }
    }

    package func judge(_ user: String, password: [UInt8]) -> SASLVerdict {
        judge(user) { $0.judge(user, password: password) }
    }

    package func judge(_ user: String, token: [UInt8]) -> SASLVerdict {
        judge(user) { $0.judge(user, token: token) }
    }

    private func judge(_ user: String, _ ask: (any SASLSecrets) -> SASLVerdict) -> SASLVerdict {
        if let file, others.isEmpty || file.contains(user) { return ask(file) }
        var verdict = SASLVerdict.wrong
        for source in others {
            switch ask(source) {
            case .right(let user): return .right(user)
            case .wrong: break
            case .unavailable(let reason): verdict = .unavailable(reason)
            }
        }
        return verdict
    }

    package func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? {
        file?.plainSecret(of: user)
    }

    package func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        try file?.scramKeys(of: user, digest)
            ?? ScramKeys(unusableSalt: Array(user.utf8), digest)
    }
}
