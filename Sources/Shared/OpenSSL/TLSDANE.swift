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

/// The functions of OpenSSL for DANE, found at first use.
private struct DANELibrary: Sendable {
    typealias Pointer = OpaquePointer

    let enableContext: @convention(c) (Pointer?) -> Int32
    let enable: @convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32
    let setFlags: @convention(c) (Pointer?, UInt) -> UInt
    let add: @convention(c) (Pointer?, UInt8, UInt8, UInt8, UnsafePointer<UInt8>?, Int) -> Int32

    static let shared = DANELibrary()

    private init?() {
        guard let ssl = LoadedLibrary(["libssl.so.3", "libssl.so.4"]),
            let enableContext = ssl.symbol("SSL_CTX_dane_enable", as: (@convention(c) (Pointer?) -> Int32).self),
            let enable = ssl.symbol(
                "SSL_dane_enable", as: (@convention(c) (Pointer?, UnsafePointer<CChar>?) -> Int32).self),
            let setFlags = ssl.symbol("SSL_dane_set_flags", as: (@convention(c) (Pointer?, UInt) -> UInt).self),
            let add = ssl.symbol(
                "SSL_dane_tlsa_add",
                as: (@convention(c) (Pointer?, UInt8, UInt8, UInt8, UnsafePointer<UInt8>?, Int) -> Int32).self)
        else { return nil }
        self.enableContext = enableContext
        self.enable = enable
        self.setFlags = setFlags
        self.add = add
    }
}
