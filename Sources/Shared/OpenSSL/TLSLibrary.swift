import Unix

/// The functions of libssl that are used here, by their C types, found once at first use.
struct TLSLibrary: Sendable {
    typealias Pointer = OpaquePointer

    let crypto: CryptoLibrary
    let serverMethod: @convention(c) () -> Pointer?
    let clientMethod: @convention(c) () -> Pointer?
    let contextNew: @convention(c) (Pointer?) -> Pointer?
    let contextFree: @convention(c) (Pointer?) -> Void
    let contextControl: @convention(c) (Pointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int
    let setOptions: @convention(c) (Pointer?, UInt64) -> UInt64
    let useChainFile: @convention(c) (Pointer?, UnsafePointer<CChar>) -> Int32
    let useKeyFile: @convention(c) (Pointer?, UnsafePointer<CChar>, Int32) -> Int32
    let checkKey: @convention(c) (Pointer?) -> Int32
    let defaultAuthorities: @convention(c) (Pointer?) -> Int32
    let loadAuthorities: @convention(c) (Pointer?, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Int32
    let setVerify: @convention(c) (Pointer?, Int32, (@convention(c) (Int32, Pointer?) -> Int32)?) -> Void
    let sessionNew: @convention(c) (Pointer?) -> Pointer?
    let sessionFree: @convention(c) (Pointer?) -> Void
    let setBIOs: @convention(c) (Pointer?, Pointer?, Pointer?) -> Void
    let setAcceptState: @convention(c) (Pointer?) -> Void
    let setConnectState: @convention(c) (Pointer?) -> Void
    let sessionControl: @convention(c) (Pointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int
    let handshake: @convention(c) (Pointer?) -> Int32
    let read: @convention(c) (Pointer?, UnsafeMutableRawPointer, Int32) -> Int32
    let write: @convention(c) (Pointer?, UnsafeRawPointer?, Int32) -> Int32
    let shutdown: @convention(c) (Pointer?) -> Int32
    let errorKind: @convention(c) (Pointer?, Int32) -> Int32
    let version: @convention(c) (Pointer?) -> UnsafePointer<CChar>?
    let currentCipher: @convention(c) (Pointer?) -> Pointer?
    let cipherName: @convention(c) (Pointer?) -> UnsafePointer<CChar>?
    let verifyResult: @convention(c) (Pointer?) -> Int
    let peerCertificate: @convention(c) (Pointer?) -> Pointer?
    let parameters: @convention(c) (Pointer?) -> Pointer?
    let exportKeyingMaterial:
        @convention(c) (
            Pointer?, UnsafeMutablePointer<UInt8>, Int, UnsafePointer<CChar>, Int, UnsafePointer<UInt8>?, Int, Int32
        ) -> Int32
    let finished: @convention(c) (Pointer?, UnsafeMutableRawPointer, Int) -> Int
    let peerFinished: @convention(c) (Pointer?, UnsafeMutableRawPointer, Int) -> Int
    let isResumed: @convention(c) (Pointer?) -> Int32
    let ownCertificate: @convention(c) (Pointer?) -> Pointer?

    static func load() throws(OpenSSLError) -> TLSLibrary {
        let crypto = try CryptoLibrary.load()
        guard let loaded = TLSLibrary(crypto) else { throw .missing }
        return loaded
    }

    private init?(_ crypto: CryptoLibrary) {
        guard let library = TLSLibrary.library else { return nil }
        self.crypto = crypto
        do throws(OpenSSLError) {
            serverMethod = try library.find("TLS_server_method")
            clientMethod = try library.find("TLS_client_method")
            contextNew = try library.find("SSL_CTX_new")
            contextFree = try library.find("SSL_CTX_free")
            contextControl = try library.find("SSL_CTX_ctrl")
            setOptions = try library.find("SSL_CTX_set_options")
            useChainFile = try library.find("SSL_CTX_use_certificate_chain_file")
            useKeyFile = try library.find("SSL_CTX_use_PrivateKey_file")
            checkKey = try library.find("SSL_CTX_check_private_key")
            defaultAuthorities = try library.find("SSL_CTX_set_default_verify_paths")
            loadAuthorities = try library.find("SSL_CTX_load_verify_locations")
            setVerify = try library.find("SSL_CTX_set_verify")
            sessionNew = try library.find("SSL_new")
            sessionFree = try library.find("SSL_free")
            setBIOs = try library.find("SSL_set_bio")
            setAcceptState = try library.find("SSL_set_accept_state")
            setConnectState = try library.find("SSL_set_connect_state")
            sessionControl = try library.find("SSL_ctrl")
            handshake = try library.find("SSL_do_handshake")
            read = try library.find("SSL_read")
            write = try library.find("SSL_write")
            shutdown = try library.find("SSL_shutdown")
            errorKind = try library.find("SSL_get_error")
            version = try library.find("SSL_get_version")
            currentCipher = try library.find("SSL_get_current_cipher")
            cipherName = try library.find("SSL_CIPHER_get_name")
            verifyResult = try library.find("SSL_get_verify_result")
            peerCertificate = try library.find("SSL_get1_peer_certificate")
            parameters = try library.find("SSL_get0_param")
            exportKeyingMaterial = try library.find("SSL_export_keying_material")
            finished = try library.find("SSL_get_finished")
            peerFinished = try library.find("SSL_get_peer_finished")
            isResumed = try library.find("SSL_session_reused")
            ownCertificate = try library.find("SSL_get_certificate")
        } catch {
            return nil
        }
    }

    private static let library = LoadedLibrary(["libssl.so.3", "libssl.so.4"])
}
