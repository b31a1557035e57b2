import CLinux
import Glibc

/// A user of this system (passwd(5), shadow(5)).
package struct SystemAccount: Sendable {
    package let name: String
    package let uid: uid_t
    package let gid: gid_t
    package let home: String
    /// The password's hash; nil when it cannot be read (only root can), or the account has expired.
    package let passwordHash: String?

    private static let bufferSize = 16_384

    /// Looks the name up; nil when there is no such user.
    package init?(_ name: String) throws(SystemError) {
        guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
        let result = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.bufferSize) {
            buffer -> Result<SystemAccount?, SystemError> in
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard let base = buffer.baseAddress else { return .success(nil) }
            let code = getpwnam_r(name, &entry, base, buffer.count, &found)
            guard code == 0 || code == ENOENT || code == ESRCH else {
                return .failure(SystemError(code: code, operation: "look up user", subject: name))
            }
            return .success(found == nil ? nil : SystemAccount(name, entry))
        }
        guard let account = try result.get() else { return nil }
        self = account
    }

    /// The name of the user that this process runs for; nil when the system does not know one.
    package static var ownName: String? {
        // Safe: a NUL-terminated text that is copied before anything else can ask.
        getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) }
    }

    private init(_ name: String, _ entry: passwd) {
        self.name = name
        uid = entry.pw_uid
        gid = entry.pw_gid
        // Safe: the fields are NUL-terminated texts within the buffer of the lookup, which is still there.
        home = String(cString: entry.pw_dir)
        let hash = String(cString: entry.pw_passwd)
        passwordHash = hash == "x" ? SystemAccount.shadowHash(name) : hash
    }

    private static func shadowHash(_ name: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferSize) { buffer in
            var entry = spwd()
            var found: UnsafeMutablePointer<spwd>?
            guard let base = buffer.baseAddress,
                getspnam_r(name, &entry, base, buffer.count, &found) == 0, found != nil
            else { return nil }
            let today = SystemClock.now.seconds / 86_400
            if entry.sp_expire > 0, entry.sp_expire <= today { return nil }
            // Safe: a NUL-terminated text within the buffer.
            return entry.sp_pwdp.map { String(cString: $0) }
        }
    }
}
