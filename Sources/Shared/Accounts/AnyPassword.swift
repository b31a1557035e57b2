import OpenSSL
import SASL

/// Takes every password: for trying things out on one machine.
package struct AnyPassword: SASLSecrets {
    package init() {}

    package func supports(_ mechanism: SASLMechanism) -> Bool { mechanism.sendsSecret }
    package func judge(_ user: String, password: [UInt8]) -> SASLVerdict { .right(AuthenticatedUser(user)) }
    package func judge(_ user: String, token: [UInt8]) -> SASLVerdict { .right(AuthenticatedUser(user)) }
    package func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)? { nil }

    package func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys {
        ScramKeys(unusableSalt: Array(user.utf8), digest)
    }
}
