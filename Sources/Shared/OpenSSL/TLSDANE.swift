import Unix

/// What DNSSEC says of a server's certificate: a TLSA record (RFC 6698 2.1).
package struct TLSAssociation: Hashable, Sendable {
    package let usage: UInt8
    package let selector: UInt8
    package let matchingType: UInt8
    package let data: [UInt8]

    package init(usage: UInt8, selector: UInt8, matchingType: UInt8, data: [UInt8]) {
        self.usage = usage
        self.selector = selector
        self.matchingType = matchingType
        self.data = data
    }
}

extension TLSContext {
    /// Lets connections of this context be judged by TLSA records. To be called before the context is shared.
    package func allowDANE() throws(OpenSSLError) {
        guard let functions = DANELibrary.shared, functions.enableContext(context) == 1 else {
            throw OpenSSLError("this OpenSSL does not know DANE")
        }
    }
}

extension TLSEngine {
    /// Judges the server by these records in place of authorities (RFC 7672 3.1): DANE-EE without name and time, DANE-TA
    /// with the server's name. To be called before the handshake.
    ///
    /// - Throws: `TLSError` when none of the records can be used.
    package func judge(by associations: [TLSAssociation], host: String) throws(TLSError) {
        guard let functions = DANELibrary.shared, functions.enable(session, host) == 1 else {
            throw TLSError("this OpenSSL does not know DANE")
        }
        // DANE_FLAG_NO_DANE_EE_NAMECHECKS (RFC 7672 3.1.1).
        _ = functions.setFlags(session, 1)
        var isUsable = false
        for record in associations where record.usage == 2 || record.usage == 3 {
            // Safe: the count is that of the array.
            let result = functions.add(
                session, record.usage, record.selector, record.matchingType, record.data, record.data.count)
            if result > 0 { isUsable = true }
        }
        library.crypto.clearErrors()
        guard isUsable else { throw TLSError("no TLSA record of \(host) can be used") }
    }
}

/// How one TLSA record judges the certificates that a server has shown.
package enum TLSAVerdict: Equatable, Sendable {
    case matches
    case differs
    /// The record's authority has signed, but not for this host (RFC 7672 3.1.2).
    case wrongName
    /// The certificates would be those of the record but for this.
    case refused(String)
}

extension TLSInspection {
    /// Judges by one record as `TLSEngine.judge` would have in the handshake; nil when the record cannot be used.
    ///
    /// DANE-EE looks at the key or certificate alone; DANE-TA wants a chain from it that is good in itself, in time, and
    /// for `host`.
    package func judge(by record: TLSAssociation, host: String) throws(OpenSSLError) -> TLSAVerdict? {
        guard let functions = DANELibrary.shared else { throw OpenSSLError("this OpenSSL does not know DANE") }
        let context = try TLSContext(verifying: false)
        try context.allowDANE()
        return try functions.judge(self, record, host, context)
    }
}

/// The functions of OpenSSL for DANE, found at first use.
private struct DANELibrary: Sendable {
    typealias Pointer = OpaquePointer

    let stackNew: @convention(c) () -> Pointer?
    let stackPush: @convention(c) (Pointer?, UnsafeRawPointer?) -> Int32
    let stackFree: @convention(c) (Pointer?) -> Void
    let decode: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Pointer?
    let records: @convention(c) (Pointer?) -> Pointer?
    let store: @convention(c) (Pointer?) -> Pointer?
    let verificationNew: @convention(c) () -> Pointer?
    let verificationFree: @convention(c) (Pointer?) -> Void
    let verificationInit: @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?) -> Int32
    let setRecords: @convention(c) (Pointer?, Pointer?) -> Void
    let setPurpose: @convention(c) (Pointer?, UnsafePointer<CChar>) -> Int32
    let verificationParameters: @convention(c) (Pointer?) -> Pointer?
    let verify: @convention(c) (Pointer?) -> Int32
    let verificationError: @convention(c) (Pointer?) -> Int32

    let enableContext: @convention(c) (Pointer?) -> Int32
    let enable: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32
    let setFlags: @convention(c) (Pointer?, UInt) -> UInt
    let add: @convention(c) (Pointer?, UInt8, UInt8, UInt8, UnsafePointer<UInt8>?, Int) -> Int32

    static let shared = DANELibrary()

    private init?() {
        guard let ssl = LoadedLibrary(["libssl.so.3", "libssl.so.4"]),
            let crypto = LoadedLibrary(["libcrypto.so.3", "libcrypto.so.4"])
        else { return nil }
        do throws(OpenSSLError) {
            enableContext = try ssl.find("SSL_CTX_dane_enable")
            enable = try ssl.find("SSL_dane_enable")
            setFlags = try ssl.find("SSL_dane_set_flags")
            add = try ssl.find("SSL_dane_tlsa_add")
            records = try ssl.find("SSL_get0_dane")
            store = try ssl.find("SSL_CTX_get_cert_store")
            stackNew = try crypto.find("OPENSSL_sk_new_null")
            stackPush = try crypto.find("OPENSSL_sk_push")
            stackFree = try crypto.find("OPENSSL_sk_free")
            decode = try crypto.find("d2i_X509")
            verificationNew = try crypto.find("X509_STORE_CTX_new")
            verificationFree = try crypto.find("X509_STORE_CTX_free")
            verificationInit = try crypto.find("X509_STORE_CTX_init")
            setRecords = try crypto.find("X509_STORE_CTX_set0_dane")
            setPurpose = try crypto.find("X509_STORE_CTX_set_default")
            verificationParameters = try crypto.find("X509_STORE_CTX_get0_param")
            verify = try crypto.find("X509_verify_cert")
            verificationError = try crypto.find("X509_STORE_CTX_get_error")
        } catch {
            return nil
        }
    }

    /// Verifies as a handshake does, with certificates that were shown before.
    func judge(
        _ inspection: TLSInspection, _ record: TLSAssociation, _ host: String, _ context: TLSContext
    ) throws(OpenSSLError) -> TLSAVerdict? {
        let library = context.library
        let crypto = library.crypto
        crypto.clearErrors()
        defer { crypto.clearErrors() }
        guard let session = library.sessionNew(context.context) else { throw OpenSSLError("out of memory") }
        defer { library.sessionFree(session) }
        guard enable(session, host) == 1 else { throw OpenSSLError(crypto.takeErrorReason()) }
        // DANE_FLAG_NO_DANE_EE_NAMECHECKS (RFC 7672 3.1.1).
        _ = setFlags(session, 1)
        // Safe: the count is that of the array.
        guard add(session, record.usage, record.selector, record.matchingType, record.data, record.data.count) > 0
        else { return nil }
        let chain = inspection.chain.isEmpty ? [inspection.leaf] : inspection.chain
        let certificates = chain.compactMap { decoded($0.bytes) }
        defer { for certificate in certificates { crypto.certificateFree(certificate) } }
        guard let leaf = certificates.first, let stack = stackNew(), let verification = verificationNew() else {
            throw OpenSSLError("out of memory")
        }
        defer {
            verificationFree(verification)
            stackFree(stack)
        }
        // Safe: the stack holds the pointers only, and is freed before what they point to.
        for certificate in certificates { _ = stackPush(stack, UnsafeRawPointer(certificate)) }
        guard verificationInit(verification, store(context.context), leaf, stack) == 1 else {
            throw OpenSSLError(crypto.takeErrorReason())
        }
        setRecords(verification, records(session))
        _ = setPurpose(verification, "ssl_server")
        _ = crypto.setHost(verificationParameters(verification), host, 0)
        _ = verify(verification)
        switch verificationError(verification) {
        case 0: return .matches
        case 62: return .wrongName  // X509_V_ERR_HOSTNAME_MISMATCH
        case 65: return .differs  // X509_V_ERR_DANE_NO_MATCH
        case let code:
            return .refused(crypto.verifyErrorText(Int(code)).map { String(cString: $0) } ?? "error \(code)")
        }
    }

    private func decoded(_ bytes: [UInt8]) -> Pointer? {
        bytes.withUnsafeBufferPointer { buffer in
            // Safe: the function reads within the count that it is given.
            var place = buffer.baseAddress
            return decode(nil, &place, buffer.count)
        }
    }
}
