import Unix

/// The functions of libcrypto that are used here, by their C types, found once at first use.
///
/// Every type is that of OpenSSL's documentation; structures are opaque pointers.
struct CryptoLibrary: Sendable {
    typealias Pointer = OpaquePointer

    // Digests
    let digestByName: @convention(c) (UnsafePointer<CChar>) -> Pointer?
    let digestFetch: @convention(c) (Pointer?, UnsafePointer<CChar>, UnsafePointer<CChar>?) -> Pointer?
    let digestContextNew: @convention(c) () -> Pointer?
    let digestContextFree: @convention(c) (Pointer?) -> Void
    let digestContextCopy: @convention(c) (Pointer?, Pointer?) -> Int32
    let digestInit: @convention(c) (Pointer?, Pointer?, Pointer?) -> Int32
    let digestUpdate: @convention(c) (Pointer?, UnsafeRawPointer?, Int) -> Int32
    let digestFinal: @convention(c) (Pointer?, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt32>?) -> Int32
    let hmac:
        @convention(c) (
            Pointer?, UnsafeRawPointer?, Int32, UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt8>?,
            UnsafeMutablePointer<UInt32>?
        ) -> UnsafeMutablePointer<UInt8>?
    let randomBytes: @convention(c) (UnsafeMutablePointer<UInt8>, Int32) -> Int32
    let pbkdf2:
        @convention(c) (
            UnsafePointer<CChar>?, Int32, UnsafePointer<UInt8>?, Int32, Int32, Pointer?, Int32,
            UnsafeMutablePointer<UInt8>
        ) -> Int32

    // Keys
    let keyFree: @convention(c) (Pointer?) -> Void
    let keyIsA: @convention(c) (Pointer?, UnsafePointer<CChar>) -> Int32
    let keyBits: @convention(c) (Pointer?) -> Int32
    let publicKeyFromDER: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Pointer?
    let publicKeyOfType: @convention(c) (Int32, Pointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Pointer?
    let publicKeyToDER: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    let rawPublicKey: @convention(c) (Int32, Pointer?, UnsafePointer<UInt8>, Int) -> Pointer?
    let readPrivateKey: @convention(c) (Pointer?, Pointer?, Pointer?, UnsafeMutableRawPointer?) -> Pointer?
    let signInit: @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?) -> Int32
    let sign:
        @convention(c) (
            Pointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>, UnsafePointer<UInt8>?, Int
        ) -> Int32
    let verifyInit: @convention(c) (Pointer?, Pointer?, Pointer?, Pointer?, Pointer?) -> Int32
    let verify: @convention(c) (Pointer?, UnsafePointer<UInt8>, Int, UnsafePointer<UInt8>?, Int) -> Int32

    /// The older functions for RSA keys; nil when this OpenSSL is too new for them.
    let rsaFunctions: RSAFunctions?

    struct RSAFunctions: Sendable {
        let decodeInfo: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Pointer?
        let decode: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> Pointer?
        let free: @convention(c) (Pointer?) -> Void
        let keyNew: @convention(c) () -> Pointer?
        let assign: @convention(c) (Pointer?, Int32, Pointer?) -> Int32
    }

    let keyContextNew: @convention(c) (Pointer?, Pointer?) -> Pointer?
    let keyContextFree: @convention(c) (Pointer?) -> Void
    let verifyDigestInit: @convention(c) (Pointer?) -> Int32
    let setSignatureDigest: @convention(c) (Pointer?, Pointer?) -> Int32
    let verifyDigest: @convention(c) (Pointer?, UnsafePointer<UInt8>, Int, UnsafePointer<UInt8>, Int) -> Int32

    // Memory BIOs
    let memoryMethod: @convention(c) () -> Pointer?
    let bioNew: @convention(c) (Pointer?) -> Pointer?
    let bioFree: @convention(c) (Pointer?) -> Int32
    let bioRead: @convention(c) (Pointer?, UnsafeMutableRawPointer, Int32) -> Int32
    let bioWrite: @convention(c) (Pointer?, UnsafeRawPointer?, Int32) -> Int32
    let bioPending: @convention(c) (Pointer?) -> Int

    // Errors
    let nextError: @convention(c) () -> UInt
    let clearErrors: @convention(c) () -> Void
    let describeError: @convention(c) (UInt, UnsafeMutablePointer<CChar>, Int) -> Void
    let errorReason: @convention(c) (UInt) -> UnsafePointer<CChar>?

    // Certificates
    let certificateFree: @convention(c) (Pointer?) -> Void
    let certificateSubject: @convention(c) (Pointer?) -> Pointer?
    let certificateIssuer: @convention(c) (Pointer?) -> Pointer?
    let nameOneLine: @convention(c) (Pointer?, UnsafeMutablePointer<CChar>?, Int32) -> UnsafeMutablePointer<CChar>?
    let certificateNotAfter: @convention(c) (Pointer?) -> Pointer?
    let timeToParts: @convention(c) (Pointer?, UnsafeMutableRawPointer) -> Int32
    let certificateSignature: @convention(c) (Pointer?) -> Int32
    let signatureAlgorithms: @convention(c) (Int32, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?) -> Int32
    let shortName: @convention(c) (Int32) -> UnsafePointer<CChar>?
    let certificateDigest:
        @convention(c) (
            Pointer?, Pointer?, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt32>?
        ) -> Int32
    let verifyErrorText: @convention(c) (Int) -> UnsafePointer<CChar>?
    let setHost: @convention(c) (Pointer?, UnsafePointer<CChar>?, Int) -> Int32
    let setAddress: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32

    /// The library, loaded at first use; throws when the system has none.
    static func load() throws(OpenSSLError) -> CryptoLibrary {
        guard let loaded else { throw .missing }
        return loaded
    }

    private static let loaded = CryptoLibrary()

    private init?() {
        guard let library = LoadedLibrary(["libcrypto.so.3", "libcrypto.so.4"]) else { return nil }
        do throws(OpenSSLError) {
            digestByName = try library.find("EVP_get_digestbyname")
            digestFetch = try library.find("EVP_MD_fetch")
            digestContextNew = try library.find("EVP_MD_CTX_new")
            digestContextFree = try library.find("EVP_MD_CTX_free")
            digestContextCopy = try library.find("EVP_MD_CTX_copy_ex")
            digestInit = try library.find("EVP_DigestInit_ex")
            digestUpdate = try library.find("EVP_DigestUpdate")
            digestFinal = try library.find("EVP_DigestFinal_ex")
            hmac = try library.find("HMAC")
            randomBytes = try library.find("RAND_bytes")
            pbkdf2 = try library.find("PKCS5_PBKDF2_HMAC")
            keyFree = try library.find("EVP_PKEY_free")
            keyIsA = try library.find("EVP_PKEY_is_a")
            keyBits = try library.find("EVP_PKEY_get_bits")
            publicKeyFromDER = try library.find("d2i_PUBKEY")
            publicKeyOfType = try library.find("d2i_PublicKey")
            publicKeyToDER = try library.find("i2d_PUBKEY")
            rawPublicKey = try library.find("EVP_PKEY_new_raw_public_key")
            readPrivateKey = try library.find("PEM_read_bio_PrivateKey")
            signInit = try library.find("EVP_DigestSignInit")
            sign = try library.find("EVP_DigestSign")
            verifyInit = try library.find("EVP_DigestVerifyInit")
            verify = try library.find("EVP_DigestVerify")
            keyContextNew = try library.find("EVP_PKEY_CTX_new")
            keyContextFree = try library.find("EVP_PKEY_CTX_free")
            verifyDigestInit = try library.find("EVP_PKEY_verify_init")
            setSignatureDigest = try library.find("EVP_PKEY_CTX_set_signature_md")
            verifyDigest = try library.find("EVP_PKEY_verify")
            rsaFunctions = try? RSAFunctions(
                decodeInfo: library.find("d2i_RSA_PUBKEY"), decode: library.find("d2i_RSAPublicKey"),
                free: library.find("RSA_free"),
                keyNew: library.find("EVP_PKEY_new"), assign: library.find("EVP_PKEY_assign"))
            memoryMethod = try library.find("BIO_s_mem")
            bioNew = try library.find("BIO_new")
            bioFree = try library.find("BIO_free")
            bioRead = try library.find("BIO_read")
            bioWrite = try library.find("BIO_write")
            bioPending = try library.find("BIO_ctrl_pending")
            nextError = try library.find("ERR_get_error")
            clearErrors = try library.find("ERR_clear_error")
            describeError = try library.find("ERR_error_string_n")
            errorReason = try library.find("ERR_reason_error_string")
            certificateFree = try library.find("X509_free")
            certificateSubject = try library.find("X509_get_subject_name")
            certificateIssuer = try library.find("X509_get_issuer_name")
            nameOneLine = try library.find("X509_NAME_oneline")
            certificateNotAfter = try library.find("X509_get0_notAfter")
            timeToParts = try library.find("ASN1_TIME_to_tm")
            certificateSignature = try library.find("X509_get_signature_nid")
            signatureAlgorithms = try library.find("OBJ_find_sigid_algs")
            shortName = try library.find("OBJ_nid2sn")
            certificateDigest = try library.find("X509_digest")
            verifyErrorText = try library.find("X509_verify_cert_error_string")
            setHost = try library.find("X509_VERIFY_PARAM_set1_host")
            setAddress = try library.find("X509_VERIFY_PARAM_set1_ip_asc")
        } catch {
            return nil
        }
    }

    /// The reason of the oldest error that OpenSSL has noted on this thread, and none of them is left.
    func takeErrorReason() -> String {
        let code = nextError()
        clearErrors()
        guard code != 0 else { return "unknown error" }
        if let reason = errorReason(code) { return String(cString: reason) }
        var buffer = [CChar](repeating: 0, count: 256)
        describeError(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Calls `body` with a memory BIO that holds `bytes`.
    func withMemory<Result>(_ bytes: [UInt8], _ body: (Pointer) -> Result) throws(OpenSSLError) -> Result {
        guard bytes.count <= Int(Int32.max), let bio = bioNew(memoryMethod()) else {
            throw OpenSSLError("out of memory")
        }
        defer { _ = bioFree(bio) }
        _ = bioWrite(bio, bytes, Int32(bytes.count))
        return body(bio)
    }
}
