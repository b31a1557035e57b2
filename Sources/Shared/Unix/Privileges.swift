import Glibc

/// Giving up the rights of root.
package enum Privileges {
    /// Becomes `user` with its groups for good. Only root can; for that user itself nothing is to be done.
    package static func drop(to user: String) throws(SystemError) {
        errno = 0
        guard let entry = getpwnam(user) else {
            throw SystemError(code: errno == 0 ? ENOENT : errno, operation: "find user", subject: user)
        }
        let uid = entry.pointee.pw_uid
        let gid = entry.pointee.pw_gid
        if getuid() == uid, geteuid() == uid { return }
        guard initgroups(user, gid) == 0, setgid(gid) == 0, setuid(uid) == 0 else { throw .last("become", user) }
    }
}
