import Bytes
import OpenSSL

/// PLAIN (RFC 4616): `authzid NUL authcid NUL password`.
struct PlainServer: ServerMechanism {
    let context: SASLServerContext
    private(set) var claimedUser: String?

    init(context: SASLServerContext) { self.context = context }

    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep {
        guard let response else { return .challenge([]) }
        let parts = response.split(separator: ASCII.nul, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("PLAIN is identity, user and password, separated by NUL") }
        let user = try parts[1].userName()
        claimedUser = user
        let verdict = context.secrets.judge(user, password: Array(parts[2]))
        // Nobody may act for another.
        guard parts[0].isEmpty || parts[0] == parts[1] else { throw .wrongCredentials }
        return .success(try verdict.get())
    }
}

/// LOGIN: asks for the name, then for the password.
struct LoginServer: ServerMechanism {
    let context: SASLServerContext
    private(set) var claimedUser: String?

    init(context: SASLServerContext) { self.context = context }

    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep {
        guard let response else { return .challenge(Array("Username:".utf8)) }
        guard let user = claimedUser else {
            claimedUser = try response.userName()
            return .challenge(Array("Password:".utf8))
        }
        guard !response.contains(ASCII.nul) else { throw .malformed("a password holds no NUL") }
        return .success(try context.secrets.judge(user, password: response).get())
    }
}

/// CRAM-MD5 (RFC 2195): the client proves that it knows the secret by a keyed digest of the challenge.
struct CramMD5Server: ServerMechanism {
    let context: SASLServerContext
    private(set) var claimedUser: String?
    private var challenge: [UInt8]?

    init(context: SASLServerContext) { self.context = context }

    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep {
        guard let challenge else {
            guard response == nil else { throw .malformed("CRAM-MD5 begins with the server's challenge") }
            let context = context
            let nonce = try cryptography { () throws(OpenSSLError) in try context.nonce() }
            let made = Array("<".utf8) + nonce + Array("@\(context.hostName)>".utf8)
            challenge = made
            return .challenge(made)
        }
        guard let response, let space = response.lastIndex(of: ASCII.space) else {
            throw .malformed("the answer to CRAM-MD5 is a name and a digest")
        }
        let user = try response[..<space].userName()
        claimedUser = user
        let known = context.secrets.plainSecret(of: user)
        // The work is the same for a user that is not known.
        let expected = try cryptography { () throws(OpenSSLError) in
            try HMAC.authenticate(.md5, key: known?.secret ?? [0], challenge)
        }
        let digest = response[(space + 1)...].map(\.asciiLowercased)
        guard Secret.equal(digest, Array(Hexadecimal.encode(expected).utf8)), let known else {
            throw .wrongCredentials
        }
        return .success(known.user)
    }
}
