/// What became of one signature (RFC 8601 2.7.1).
package struct DKIMResult: Sendable {
    package enum Verdict: String, Sendable {
        case pass, fail, policy, neutral, temperror, permerror
    }

    /// What is odd about a signature without being against it.
    package enum Finding: String, Sendable {
        /// An RSA key of 1024 to 2047 bits (RFC 8301 3.2).
        case weakKey = "weak-key"
        /// There are several key records at one name.
        case severalKeys = "several-keys"
        /// `l=` leaves a part of the body unsigned.
        case unsignedBody = "unsigned-body"
    }

    package let signature: DKIMSignature
    package internal(set) var verdict = Verdict.permerror
    /// Why the verdict is not `pass`.
    package internal(set) var reason: String?
    /// Whether the hashes of the body agree, and whether the signature is good; nil when that was not looked at.
    package internal(set) var bodyHashAgrees: Bool?
    package internal(set) var signatureAgrees: Bool?
    package internal(set) var keyBits: Int?
    package internal(set) var isExpired = false
    /// The domain says that it only tests DKIM (`t=y`).
    package internal(set) var isTesting = false
    package internal(set) var findings: [Finding] = []

    package var domain: String { signature.domain }

    init(_ signature: DKIMSignature) { self.signature = signature }
}

/// The clock that signatures are judged by.
package struct SignatureClock: Sendable {
    /// Seconds since 1970.
    package let time: Int
    /// Seconds by which clocks may differ.
    package let slack: Int

    /// This moment, five minutes either way.
    package static func now(_ time: Int) -> SignatureClock { SignatureClock(time: time, slack: 300) }
    /// A moment that was given: exact.
    package static func at(_ time: Int) -> SignatureClock { SignatureClock(time: time, slack: 0) }

    func isPast(_ expiration: Int) -> Bool { time > expiration && time - expiration > slack }
    func isFuture(_ timestamp: Int) -> Bool { timestamp > time && timestamp - time > slack }
}
