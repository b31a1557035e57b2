import Bytes
import OpenSSL

/// The proof of POP3's APOP (RFC 1939 7): the MD5 of the greeting's time stamp and the secret.
package enum APOP {
    /// What a client sends for a time stamp, with its angle brackets, and a secret: hexadecimal, in lower case.
    package static func digest(timestamp: String, secret: [UInt8]) throws(OpenSSLError) -> String {
        Hexadecimal.encode(try Digest.hash(.md5, Array(timestamp.utf8) + secret))
    }

    /// The time stamp of a greeting, with its angle brackets; nil when there is none that may be used. Anything but
    /// plain text is no time stamp but an attempt to find out the secret by collisions of MD5 (CVE-2007-1558).
    package static func timestamp(inGreeting line: [UInt8]) -> String? {
        guard let start = line.firstIndex(of: ASCII.less),
            let end = line[start...].firstIndex(of: ASCII.greater)
        else { return nil }
        let inner = line[(start + 1)..<end]
        let parts = inner.split(separator: ASCII.at, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), inner.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        return line[start...end].text
    }
}
