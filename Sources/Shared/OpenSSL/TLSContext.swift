import Bytes
import Glibc
import Unix

/// What TLS connections of one kind share: certificate, key, authorities, and whether the peer is verified.
package final class TLSContext: Sendable {
    let library: TLSLibrary
    nonisolated(unsafe) let context: OpaquePointer  // Safe: not changed after init; OpenSSL counts its references.
    /// Whether a client refuses a server that cannot be verified.
    let mustVerify: Bool

    /// A server's context: its certificate with the chain, and its key, in PEM files. With `clientAuthorities`, a PEM
    /// file, clients are asked for a certificate; `TLSEngine.isPeerVerified` tells whether one of these has signed it.
    package convenience init(
        certificateChain: String, key: String, clientAuthorities: String? = nil
    ) throws(OpenSSLError) {
        let library = try TLSLibrary.load()
        try self.init(library, library.serverMethod(), mustVerify: false)
        try use(certificateChain: certificateChain, key: key)
        guard let clientAuthorities else { return }
        guard library.loadAuthorities(context, clientAuthorities, nil) == 1 else {
            throw refusal(of: clientAuthorities, "certificate")
        }
        // SSL_VERIFY_PEER, with a callback that lets clients of other authorities in, unverified.
        library.setVerify(context, 1) { _, _ in 1 }
    }

    /// A client's context.
    ///
    /// - Parameters:
    ///   - authorities: a PEM file of the authorities to trust in place of the system's.
    ///   - verifying: when false, any certificate is accepted, and `peerCertificate` still tells what is wrong.
    ///   - certificateChain: a client certificate with its key, PEM files.
    package convenience init(
        authorities: String? = nil, verifying: Bool = true, certificateChain: String? = nil, key: String? = nil
    ) throws(OpenSSLError) {
        let library = try TLSLibrary.load()
        try self.init(library, library.clientMethod(), mustVerify: verifying)
        if let authorities {
            guard library.loadAuthorities(context, authorities, nil) == 1 else {
                throw refusal(of: authorities, "certificate")
            }
        } else {
            _ = library.defaultAuthorities(context)
        }
        if let certificateChain { try use(certificateChain: certificateChain, key: key ?? certificateChain) }
    }

    private init(_ library: TLSLibrary, _ method: OpaquePointer?, mustVerify: Bool) throws(OpenSSLError) {
        library.crypto.clearErrors()
        guard let context = library.contextNew(method) else { throw OpenSSLError(library.crypto.takeErrorReason()) }
        self.library = library
        self.context = context
        self.mustVerify = mustVerify
        // SSL_CTX_set_min_proto_version(TLS 1.2) and SSL_CTX_set_mode(release buffers, moving write buffer) are macros.
        _ = library.contextControl(context, 123, 0x0303, nil)
        _ = library.contextControl(context, 33, 0x10 | 0x2 | 0x1, nil)
        // Ends of stream without goodbye are told as ends (0x80), and renegotiation is refused (0x40000000).
        _ = library.setOptions(context, 0x80 | 0x4000_0000)
    }

    deinit { library.contextFree(context) }

    private func use(certificateChain: String, key: String) throws(OpenSSLError) {
        guard library.useChainFile(context, certificateChain) == 1 else {
            throw refusal(of: certificateChain, "certificate")
        }
        // 1 is PEM.
        guard library.useKeyFile(context, key, 1) == 1 else {
            throw refusal(of: key, "private key")
        }
        guard library.checkKey(context) == 1 else {
            throw OpenSSLError("\(key): is not the key of \(certificateChain)")
        }
    }

    /// Why a PEM file cannot be used: what the system says of it, else OpenSSL's reason.
    private func refusal(of path: String, _ content: String) -> OpenSSLError {
        let reason = library.crypto.takeErrorReason()
        if access(path, R_OK) != 0 {
            return OpenSSLError("\(path): cannot be read: \(String(cString: strerror(errno)))")
        }
        if Files.isDirectory(path) { return OpenSSLError("\(path): is a directory: name a file with a \(content)") }
        return OpenSSLError("\(path): holds no \(content) in PEM form (\(reason))")
    }
}
