import Bytes
import OpenSSL
import SASL

/// The proof of POP3's APOP (RFC 1939 7): the MD5 of the greeting's time stamp and the secret.
package enum APOP {
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

    /// What a client sends for a time stamp, with its angle brackets, and a secret.
    package static func digest(timestamp: String, secret: [UInt8]) throws(OpenSSLError) -> String {
        Hexadecimal.encode(try Digest.hash(.md5, Array(timestamp.utf8) + secret))
    }
}
