import OpenSSL
import SASL

extension APOP {
    /// Whether `digest`, hexadecimal in lower case, fits; the work is the same for a user that is not known.
    package static func judge(
        _ user: String, digest: String, timestamp: String, _ secrets: any SASLSecrets
    ) -> SASLVerdict {
        let known = secrets.plainSecret(of: user)
        do throws(OpenSSLError) {
            let expected = try Self.digest(timestamp: timestamp, secret: known?.secret ?? [0])
            guard Secret.equal(Array(digest.utf8), Array(expected.utf8)), let known else { return .wrong }
            return .right(known.user)
        } catch {
            return .unavailable("\(error)")
        }
    }
}
