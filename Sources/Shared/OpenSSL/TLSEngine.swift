import Bytes
import Glibc
import Unix

/// What a TLS connection has agreed on.
package struct TLSDescription: Equatable, Sendable {
    /// `TLSv1.3`
    package let version: String
    /// `TLS_AES_256_GCM_SHA384`
    package let cipher: String
}

/// The certificate of the other side, and how it was judged.
package struct TLSPeerCertificate: Equatable, Sendable {
    /// The subject and the issuer in one line each: `/CN=mx.example.org`.
    package let subject: String
    package let issuer: String
    /// When it ends, seconds since 1970.
    package let notAfter: Int?
    /// Why it is not trusted for this host; nil when it is.
    package let problem: String?
}

/// Why TLS was not established or has broken off, in words that name the host and the reason.
package struct TLSError: Error, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// One TLS connection without a socket: ciphertext in and out on one side, plaintext on the other.
package final class TLSEngine {
    let library: TLSLibrary
    private let context: TLSContext
    let session: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    let serverName: String?
    private var isEstablished = false

    /// The other side has said goodbye.
    package private(set) var isClosedByPeer = false
    /// Set when the handshake is done.
    package private(set) var description: TLSDescription?
    /// The certificate of the other side; nil when it gave none.
    package private(set) var peerCertificate: TLSPeerCertificate?

    /// The other side gave a certificate, and an authority that is trusted has signed it.
    package private(set) var isPeerVerified = false

    /// The server's side.
    package convenience init(server context: TLSContext) throws(TLSError) {
        try self.init(context, serverName: nil)
        library.setAcceptState(session)
    }

    /// The client's side, which expects the server to be `serverName`, a host name or an IP address. Without
    /// `checkingName` the name is told to the server only, and the certificate is judged by its chain and its time.
    package convenience init(
        client context: TLSContext, serverName: String, checkingName: Bool = true
    ) throws(TLSError) {
        let serverName = serverName.hasSuffix(".") ? String(serverName.dropLast()) : serverName
        try self.init(context, serverName: serverName)
        library.setConnectState(session)
        let parameters = library.parameters(session)
        if IPAddress(serverName) != nil {
            if checkingName { _ = library.crypto.setAddress(parameters, serverName) }
        } else {
            if checkingName { _ = library.crypto.setHost(parameters, serverName, 0) }
            // SSL_set_tlsext_host_name is a macro: control 55 with name type 0.
            var name = Array(serverName.utf8CString)
            _ = name.withUnsafeMutableBytes { library.sessionControl(session, 55, 0, $0.baseAddress) }
        }
    }

    private init(_ context: TLSContext, serverName: String?) throws(TLSError) {
        let library = context.library
        library.crypto.clearErrors()
        guard let session = library.sessionNew(context.context),
            let incoming = library.crypto.bioNew(library.crypto.memoryMethod()),
            let outgoing = library.crypto.bioNew(library.crypto.memoryMethod())
        else { throw TLSError("out of memory") }
        self.library = library
        self.context = context
        self.session = session
        self.incoming = incoming
        self.outgoing = outgoing
        self.serverName = serverName
        // The session owns both BIOs from here on.
        library.setBIOs(session, incoming, outgoing)
    }

    deinit { library.sessionFree(session) }

    // MARK: Ciphertext

    /// Takes in what came from the network.
    package func receive(_ ciphertext: Span<UInt8>) {
        // Safe: pointer and count are those of the span; a memory BIO takes everything.
        ciphertext.withUnsafeBytes { _ = library.crypto.bioWrite(incoming, $0.baseAddress, Int32(clamping: $0.count)) }
    }

    /// What is to be sent to the network; afterwards there is nothing.
    package func takeOutput() -> [UInt8] {
        let count = library.crypto.bioPending(outgoing)
        guard count > 0 else { return [] }
        // Safe: the buffer has the capacity that the BIO says it has bytes for.
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            filled = max(0, Int(library.crypto.bioRead(outgoing, base, Int32(clamping: count))))
        }
    }

    // MARK: Handshake

    /// Goes on with the handshake as far as the input allows; true when it is done.
    ///
    /// - Throws: `TLSError` when the other side breaks it off, or is not who it should be.
    package func advanceHandshake() throws(TLSError) -> Bool {
        if isEstablished { return true }
        library.crypto.clearErrors()
        let result = library.handshake(session)
        if result == 1 {
            describe()
            if serverName != nil, context.mustVerify, let problem = verificationProblem() {
                throw TLSError(problem)
            }
            isEstablished = true
            return true
        }
        switch library.errorKind(session, result) {
        case TLSEngine.wantsRead, TLSEngine.wantsWrite: return false
        default: throw TLSError("handshake failed: \(library.crypto.takeErrorReason())")
        }
    }

    private static let wantsRead: Int32 = 2  // SSL_ERROR_WANT_READ
    private static let wantsWrite: Int32 = 3  // SSL_ERROR_WANT_WRITE
    private static let closed: Int32 = 6  // SSL_ERROR_ZERO_RETURN

    private func describe() {
        let version = library.version(session).map { String(cString: $0) } ?? ""
        let cipher = library.currentCipher(session).flatMap { library.cipherName($0) }.map { String(cString: $0) }
        description = TLSDescription(version: version, cipher: cipher ?? "")
        guard let certificate = library.peerCertificate(session) else { return }
        defer { library.crypto.certificateFree(certificate) }
        isPeerVerified = library.verifyResult(session) == 0
        peerCertificate = TLSPeerCertificate(
            subject: text(library.crypto.certificateSubject(certificate)),
            issuer: text(library.crypto.certificateIssuer(certificate)),
            notAfter: time(library.crypto.certificateNotAfter(certificate)), problem: verificationProblem())
    }

    /// Why the server is not who it should be; nil when it is.
    private func verificationProblem() -> String? {
        guard let serverName else { return nil }
        let code = library.verifyResult(session)
        guard code != 0 else { return nil }
        let reason = library.crypto.verifyErrorText(code).map { String(cString: $0) } ?? "error \(code)"
        guard let certificate = library.peerCertificate(session) else { return "\(serverName) gave no certificate" }
        defer { library.crypto.certificateFree(certificate) }
        let subject = text(library.crypto.certificateSubject(certificate))
        let issuer = text(library.crypto.certificateIssuer(certificate))
        let chain = chainText.map { "; it shows \($0)" } ?? ""
        let isOfAnother = code == 62 || code == 64  // X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        let names = isOfAnother ? namesText(certificate).map { "; it is for \($0)" } ?? "" : ""
        return "the certificate of \(serverName) is not trusted: \(reason) "
            + "(subject \(subject), issuer \(issuer)\(names)\(chain))"
    }

    private func text(_ name: OpaquePointer?) -> String {
        var buffer = [CChar](repeating: 0, count: 512)
        // Safe: the function writes at most the count given, with its NUL.
        _ = library.crypto.nameOneLine(name, &buffer, Int32(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func time(_ time: OpaquePointer?) -> Int? {
        var parts = tm()
        // Safe: ASN1_TIME_to_tm fills a struct tm.
        guard
            withUnsafeMutableBytes(
                of: &parts,
                { raw in
                    raw.baseAddress.map { library.crypto.timeToParts(time, $0) }
                }) == 1
        else { return nil }
        return timegm(&parts)
    }

    // MARK: Plaintext

    /// Everything that has come in and can be decrypted.
    package func readPlaintext() throws(TLSError) -> [UInt8] {
        var plaintext: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while !isClosedByPeer {
            library.crypto.clearErrors()
            // Safe: the count is that of the buffer.
            let count = library.read(session, &buffer, Int32(buffer.count))
            if count > 0 {
                plaintext += buffer[..<Int(count)]
                continue
            }
            switch library.errorKind(session, count) {
            case TLSEngine.wantsRead, TLSEngine.wantsWrite: return plaintext
            case TLSEngine.closed: isClosedByPeer = true
            default: throw TLSError("the connection broke: \(library.crypto.takeErrorReason())")
            }
        }
        return plaintext
    }

    /// Encrypts `plaintext`; `takeOutput` has the result.
    package func writePlaintext(_ plaintext: Span<UInt8>) {
        library.crypto.clearErrors()
        // Safe: pointer and count are those of the span. A memory BIO takes everything, so the write is whole.
        plaintext.withUnsafeBytes { raw in
            var rest = raw[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = library.write(session, part.baseAddress, Int32(clamping: part.count))
                guard count > 0 else { return }
                rest = rest.dropFirst(Int(count))
            }
        }
    }

    /// Says goodbye; `takeOutput` has what is to be sent.
    package func beginShutdown() {
        guard isEstablished else { return }
        library.crypto.clearErrors()
        _ = library.shutdown(session)
    }
}
