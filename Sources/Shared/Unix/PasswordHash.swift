import Glibc

/// crypt(3) of the system's libcrypt, loaded at first use: the password hashes of Unix, slow on purpose.
package enum PasswordHash {
    private typealias Crypt =
        @convention(c) (
            UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeMutableRawPointer
        ) -> UnsafeMutablePointer<CChar>?

    private static let function: Crypt? =
        LoadedLibrary(["libcrypt.so.1", "libcrypt.so.2"])?.symbol("crypt_r", as: Crypt.self)
    /// More than `struct crypt_data` has in any library: 32,768 bytes in libxcrypt, 131,232 in glibc's own.
    private static let workspaceSize = 139_264

    /// What is missing, for people; nil when hashes can be computed.
    package static var problem: String? {
        function == nil ? "hashed passwords need libcrypt.so.1: install package libcrypt1" : nil
    }

    /// The hash of a password with the method and salt of `setting`, which may be a whole hash; nil when there is no
    /// such method, or no library. Safe to call from several threads.
    package static func compute(_ password: [UInt8], setting: String) -> String? {
        guard let function, !password.contains(0), !setting.isEmpty, !setting.utf8.contains(0),
            let workspace = calloc(1, workspaceSize)
        else { return nil }
        defer { free(workspace) }
        // Safe: both texts are NUL-terminated, the workspace is zeroed and large enough, and the result, which lies in
        // it, is copied before it is freed.
        guard let result = function(password.map { CChar(bitPattern: $0) } + [0], setting, workspace) else {
            return nil
        }
        let hash = String(cString: result)
        // `*0` and `*1` are failures.
        return hash.hasPrefix("*") ? nil : hash
    }
}
