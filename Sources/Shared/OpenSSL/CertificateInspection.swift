import Glibc
import Unix

/// What a TLS connection and the certificates of the other side say, each fact apart from the others.
package struct TLSInspection: Sendable {
    /// The group of the key exchange, `x25519`; nil when it is not known.
    package let group: String?
    package let leaf: CertificateFacts
    /// The certificates that the server sent, its own first.
    package let chain: [CertificateFacts]
    /// Why the chain leads to no authority that is trusted here; nil when it does. That a certificate has expired is a
    /// fact of its own.
    package let chainProblem: String?
    /// Whether the certificate is one for the host.
    package let matchesName: Bool
}

/// One certificate.
package struct CertificateFacts: Sendable {
    /// The common name of the subject and of the issuer; empty when there is none.
    package let commonName: String
    package let issuer: String
    /// The DNS names of the subject alternative name.
    package let names: [String]
    /// Seconds since 1970; nil when they cannot be read.
    package let notBefore: Int?
    package let notAfter: Int?
    /// The whole certificate, DER.
    package let bytes: [UInt8]
    /// Its SubjectPublicKeyInfo, DER.
    package let publicKeyInfo: [UInt8]
}

extension TLSEngine {
    /// Everything that the certificates of the other side say; nil before the handshake, or when it gave none.
    package func inspection(host: String) -> TLSInspection? {
        guard let functions = CertificateLibrary.shared, let certificate = library.peerCertificate(session) else {
            return nil
        }
        defer { library.crypto.certificateFree(certificate) }
        let leaf = functions.facts(certificate, library.crypto)
        let code = library.verifyResult(session)
        let isOutOfTime = code == 9 || code == 10  // X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
        var problem: String?
        if code != 0, !isOutOfTime {
            problem = library.crypto.verifyErrorText(code).map { String(cString: $0) } ?? "error \(code)"
        }
        return TLSInspection(
            group: functions.group(of: session, library), leaf: leaf,
            chain: functions.chain(of: session).map { functions.facts($0, library.crypto) }, chainProblem: problem,
            matchesName: functions.matches(certificate, host))
    }
}

extension TLSEngine {
    /// The names in the certificates that the server sent, its own first, each by the one that issued it; nil when there
    /// is only its own.
    var chainText: String? {
        guard let functions = CertificateLibrary.shared else { return nil }
        let chain = functions.chain(of: session).map { functions.facts($0, library.crypto) }
        guard chain.count > 1 else { return nil }
        return chain.map { "\($0.commonName) by \($0.issuer)" }.joined(separator: ", ")
    }

    /// The DNS names that a certificate is for, or the first few of many; nil when there is none.
    func namesText(_ certificate: OpaquePointer) -> String? {
        let names = CertificateLibrary.shared?.facts(certificate, library.crypto).names ?? []
        guard !names.isEmpty else { return nil }
        return names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
}

/// The functions for looking into certificates, found at first use.
private struct CertificateLibrary: Sendable {
    typealias Pointer = OpaquePointer

    let peerChain: @convention(c) (Pointer?) -> Pointer?
    let groupName: (@convention(c) (Pointer?, Int32) -> UnsafePointer<CChar>?)?
    let stackCount: @convention(c) (Pointer?) -> Int32
    let stackValue: @convention(c) (Pointer?, Int32) -> Pointer?
    let encode: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    let publicKey: @convention(c) (Pointer?) -> Pointer?
    let encodeKey: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    let checkHost: @convention(c) (Pointer?, UnsafePointer<CChar>?, Int, UInt32, UnsafeMutableRawPointer?) -> Int32
    let checkAddress: @convention(c) (Pointer?, UnsafePointer<CChar>?, UInt32) -> Int32
    let notBefore: @convention(c) (Pointer?) -> Pointer?
    let nameText: @convention(c) (Pointer?, Int32, UnsafeMutablePointer<CChar>?, Int32) -> Int32
    let `extension`: @convention(c) (Pointer?, Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Pointer?
    let namesFree: @convention(c) (Pointer?) -> Void
    let nameValue: @convention(c) (Pointer?, UnsafeMutablePointer<Int32>?) -> Pointer?
    let stringData: @convention(c) (Pointer?) -> UnsafePointer<UInt8>?
    let stringLength: @convention(c) (Pointer?) -> Int32

    static let shared = CertificateLibrary()

    private init?() {
        guard let ssl = LoadedLibrary(["libssl.so.3", "libssl.so.4"]),
            let crypto = LoadedLibrary(["libcrypto.so.3", "libcrypto.so.4"])
        else { return nil }
        do throws(OpenSSLError) {
            peerChain = try ssl.find("SSL_get_peer_cert_chain")
            groupName = try? ssl.find("SSL_group_to_name")
            stackCount = try crypto.find("OPENSSL_sk_num")
            stackValue = try crypto.find("OPENSSL_sk_value")
            encode = try crypto.find("i2d_X509")
            publicKey = try crypto.find("X509_get_X509_PUBKEY")
            encodeKey = try crypto.find("i2d_X509_PUBKEY")
            checkHost = try crypto.find("X509_check_host")
            checkAddress = try crypto.find("X509_check_ip_asc")
            notBefore = try crypto.find("X509_get0_notBefore")
            nameText = try crypto.find("X509_NAME_get_text_by_NID")
            `extension` = try crypto.find("X509_get_ext_d2i")
            namesFree = try crypto.find("GENERAL_NAMES_free")
            nameValue = try crypto.find("GENERAL_NAME_get0_value")
            stringData = try crypto.find("ASN1_STRING_get0_data")
            stringLength = try crypto.find("ASN1_STRING_length")
        } catch {
            return nil
        }
    }

    func group(of session: Pointer, _ library: TLSLibrary) -> String? {
        // SSL_get_negotiated_group is a macro: control 134.
        let id = library.sessionControl(session, 134, 0, nil)
        guard id > 0, id <= Int(Int32.max) else { return nil }
        return groupName?(session, Int32(id)).map { String(cString: $0) }
    }

    /// The certificates that the server sent; they belong to the session.
    func chain(of session: Pointer) -> [Pointer] {
        guard let stack = peerChain(session) else { return [] }
        return (0..<max(0, stackCount(stack))).compactMap { stackValue(stack, $0) }
    }

    func matches(_ certificate: Pointer, _ host: String) -> Bool {
        IPAddress(host) == nil
            ? checkHost(certificate, host, 0, 0, nil) == 1 : checkAddress(certificate, host, 0) == 1
    }

    func facts(_ certificate: Pointer, _ crypto: CryptoLibrary) -> CertificateFacts {
        CertificateFacts(
            commonName: commonName(crypto.certificateSubject(certificate)),
            issuer: commonName(crypto.certificateIssuer(certificate)), names: names(certificate),
            notBefore: time(notBefore(certificate), crypto),
            notAfter: time(crypto.certificateNotAfter(certificate), crypto), bytes: encoded(certificate, encode),
            publicKeyInfo: encoded(publicKey(certificate), encodeKey))
    }

    private func encoded(
        _ object: Pointer?,
        _ encode: @convention(c) (Pointer?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) -> [UInt8] {
        let count = Int(encode(object, nil))
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        // Safe: the first call told the length, and the array has it.
        bytes.withUnsafeMutableBufferPointer { buffer in
            var place = buffer.baseAddress
            _ = encode(object, &place)
        }
        return bytes
    }

    private func commonName(_ name: Pointer?) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        // Safe: at most the count given is written, with its NUL. 13 is NID_commonName.
        guard nameText(name, 13, &buffer, Int32(buffer.count)) > 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func names(_ certificate: Pointer) -> [String] {
        // 85 is NID_subject_alt_name, and 2 is GEN_DNS.
        guard let list = `extension`(certificate, 85, nil, nil) else { return [] }
        defer { namesFree(list) }
        var names: [String] = []
        for index in 0..<min(max(0, stackCount(list)), 200) {
            var kind: Int32 = -1
            guard let value = nameValue(stackValue(list, index), &kind), kind == 2, let data = stringData(value) else {
                continue
            }
            // Safe: the library tells the length of its own string.
            let bytes = UnsafeBufferPointer(start: data, count: Int(max(0, stringLength(value))))
            names.append(String(decoding: bytes, as: UTF8.self))
        }
        return names
    }

    private func time(_ time: Pointer?, _ crypto: CryptoLibrary) -> Int? {
        var parts = tm()
        // Safe: ASN1_TIME_to_tm fills a struct tm.
        let result = withUnsafeMutableBytes(of: &parts) { raw in raw.baseAddress.map { crypto.timeToParts(time, $0) } }
        return result == 1 ? timegm(&parts) : nil
    }
}
