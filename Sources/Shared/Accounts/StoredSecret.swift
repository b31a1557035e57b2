import Bytes
import OpenSSL
import Synchronization
import Unix

/// A password as it is stored.
enum StoredSecret: Equatable, Sendable {
    case plain([UInt8])
    /// A setting and hash of crypt(3).
    case crypt(String)

    private static let plainSchemes: Set<String> = ["PLAIN", "CLEAR", "CLEARTEXT"]
    private static let cryptSchemes: Set<String> = [
        "CRYPT", "DES-CRYPT", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "YESCRYPT",
    ]

    /// `{SCHEME}secret`, or a bare hash of crypt(3); nil for a scheme that is not known.
    init?(_ text: String) {
        if text.hasPrefix("{"), let close = text.firstIndex(of: "}") {
            let scheme = text[text.index(after: text.startIndex)..<close].uppercased()
            let rest = String(text[text.index(after: close)...])
            if StoredSecret.plainSchemes.contains(scheme) {
                self = .plain(Array(rest.utf8))
            } else if StoredSecret.cryptSchemes.contains(scheme), !rest.isEmpty {
                self = .crypt(rest)
            } else {
                return nil
            }
        } else if text.hasPrefix("$") {
            self = .crypt(text)
        } else {
            return nil
        }
    }

    var isHashed: Bool {
        if case .crypt = self { true } else { false }
    }

    func matches(_ password: [UInt8]) throws(OpenSSLError) -> Bool {
        switch self {
        case .plain(let secret): return Secret.equal(secret, password)
        case .crypt(let hash):
            let computed = try CryptLibrary.hash(password, setting: hash)
            return Secret.equal(Array(computed.utf8), Array(hash.utf8))
        }
    }
}

/// crypt(3) of the system's libcrypt, loaded at first use.
enum CryptLibrary {
    private typealias Crypt =
        @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar>?

    private static let function: Crypt? =
        LoadedLibrary(["libcrypt.so.1", "libcrypt.so.2"])?.symbol("crypt", as: Crypt.self)
    /// crypt(3) keeps its result in one place for the whole process.
    private static let turn = Mutex(())

    /// The hash of a password with the method and salt of `setting`; empty when there is no such method.
    static func hash(_ password: [UInt8], setting: String) throws(OpenSSLError) -> String {
        guard let function else {
            throw OpenSSLError("hashed passwords need libcrypt.so.1: install package libcrypt1")
        }
        guard !password.contains(0), !setting.utf8.contains(0) else { return "" }
        return turn.withLock { _ in
            // Safe: both are NUL-terminated, and the result is copied before another call may change it.
            function(password.map { CChar(bitPattern: $0) } + [0], setting).map { String(cString: $0) } ?? ""
        }
    }
}
