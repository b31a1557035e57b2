import Bytes
import OpenSSL

/// SCRAM (RFC 5802, RFC 7677): both sides prove that they know the secret, and neither sends it. With channel binding
/// (-PLUS) the proof holds for this TLS connection alone.
struct ScramServer: ServerMechanism {
    private enum State {
        case first
        case final(Challenge)
        /// The server's proof is sent; the client says nothing more.
        case proved(AuthenticatedUser)
    }

    /// What was agreed on in the first two messages.
    private struct Challenge {
        let keys: ScramKeys
        let nonce: [UInt8]
        /// The value of `c=` that the client must send.
        let binding: [UInt8]
        /// The first messages, as the proofs cover them.
        let messages: [UInt8]
    }

    private let context: SASLServerContext
    private let digest: DigestAlgorithm
    private let bindsChannel: Bool
    private var state = State.first
    private(set) var claimedUser: String?

    init(_ context: SASLServerContext, _ digest: DigestAlgorithm, bindsChannel: Bool) {
        self.context = context
        self.digest = digest
        self.bindsChannel = bindsChannel
    }

    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep {
        switch state {
        case .first:
            guard let response else { return .challenge([]) }
            return try challenge(response)
        case .final(let challenge):
            return try prove(response ?? [], challenge)
        case .proved(let user):
            guard response?.isEmpty ?? true else { throw .malformed("nothing follows the server's proof") }
            return .success(user)
        }
    }

    // MARK: The first messages

    private mutating func challenge(_ message: [UInt8]) throws(SASLFailure) -> ServerMechanismStep {
        let commas = message.indices.filter { message[$0] == ASCII.comma }
        guard commas.count >= 2 else { throw .malformed("the GS2 header is not complete") }
        let headerBytes = message[...commas[1]]
        let header = try GS2Header(headerBytes)
        let bindingData = try bindingData(header)
        let bare = message[(commas[1] + 1)...]
        let fields = bare.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        guard fields.count >= 2, fields[0].starts(with: "n=".utf8), fields[1].starts(with: "r=".utf8) else {
            throw .malformed("SCRAM begins with n= and r=")
        }
        let user = try SASLName.decode(fields[0].dropFirst(2))
        claimedUser = user
        guard header.identity ?? user == user else { throw .wrongCredentials }
        let clientNonce = fields[1].dropFirst(2)
        guard !clientNonce.isEmpty, clientNonce.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformed("the nonce must be printable")
        }
        let (context, digest) = (context, digest)
        let (keys, serverNonce) = try cryptography { () throws(OpenSSLError) in
            (try context.secrets.scramKeys(of: user, digest), try context.nonce())
        }
        let nonce = Array(clientNonce) + serverNonce
        let first = Array("r=".utf8) + nonce + Array(",s=\(Base64.encode(keys.salt)),i=\(keys.iterations)".utf8)
        state = .final(
            Challenge(
                keys: keys, nonce: nonce, binding: Base64.encode((Array(headerBytes) + bindingData).span),
                messages: Array(bare) + [ASCII.comma] + first))
        return .challenge(first)
    }

    /// The bytes that the channel is bound by; none without.
    private func bindingData(_ header: GS2Header) throws(SASLFailure) -> [UInt8] {
        switch header.binding {
        case .unsupported, .notOffered:
            guard !bindsChannel else { throw .malformed("a mechanism with -PLUS needs p=") }
            // The client could bind and believes that the server cannot: somebody has taken -PLUS out of the offer.
            guard header.binding == .unsupported || !context.offersChannelBinding else { throw .wrongCredentials }
            return []
        case .required:
            guard bindsChannel else { throw .malformed("channel binding needs a mechanism with -PLUS") }
            guard let type = header.type, let data = context.channelBindings[type] else {
                throw .malformed("this type of channel binding is not offered")
            }
            return data
        }
    }

    // MARK: The proofs

    private mutating func prove(
        _ message: [UInt8], _ challenge: Challenge
    ) throws(SASLFailure) -> ServerMechanismStep {
        let fields = message.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        guard fields.count >= 3, fields[0].starts(with: "c=".utf8), fields[1].starts(with: "r=".utf8),
            let last = fields.last, last.starts(with: "p=".utf8),
            let proof = Base64.decodeStrictly(Array(last.dropFirst(2)).span), proof.count == digest.size
        else { throw .malformed("SCRAM ends with c=, r= and p=") }
        let covered = challenge.messages + [ASCII.comma] + message[..<(message.count - last.count - 1)]
        let (keys, digest) = (challenge.keys, digest)
        let (stored, answer) = try cryptography { () throws(OpenSSLError) in
            let signature = try HMAC.authenticate(digest, key: keys.storedKey, covered)
            let clientKey = zip(proof, signature).map { $0 ^ $1 }
            return (
                try Digest.hash(digest, clientKey), try HMAC.authenticate(digest, key: keys.serverKey, covered)
            )
        }
        let isBound = Secret.equal(challenge.binding, Array(fields[0].dropFirst(2)))
        let isSameNonce = Secret.equal(challenge.nonce, Array(fields[1].dropFirst(2)))
        let isProved = Secret.equal(keys.storedKey, stored)
        guard isBound, isSameNonce, isProved, let user = keys.user else { throw .wrongCredentials }
        state = .proved(user)
        return .challenge(Array("v=\(Base64.encode(answer))".utf8))
    }
}
