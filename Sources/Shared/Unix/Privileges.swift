import CLinux
import Glibc

/// Giving up the rights of root.
package enum Privileges {
    /// Whose rights a thread may take on.
    package struct Rights: Equatable, Sendable {
        package let uid: uid_t
        package let gid: gid_t

        package init(uid: uid_t, gid: gid_t) {
            self.uid = uid
            self.gid = gid
        }
    }

    /// Whether this process can take on the rights of others.
    package static var canSwitch: Bool { geteuid() == 0 }

    /// Whose file rights this thread has now: 0 for root, who may read everything.
    package static var fileUser: uid_t {
        // A call with an impossible value changes nothing and tells the one that holds.
        UInt32(bitPattern: facteur_setfsuid(.max))
    }

    /// Runs `body` with the file rights of `rights` on this thread, and no others' (setfsuid(2)), then takes root's
    /// back. Without rights to take on it just runs; where they cannot be had it does not run, and the result is nil.
    package static func acting<Value>(as rights: Rights?, _ body: () -> Value) -> Value? {
        guard let rights, canSwitch else { return body() }
        let group = getegid()
        let count = getgroups(0, nil)
        var groups = [gid_t](repeating: 0, count: Int(max(0, count)))
        _ = getgroups(count, &groups)
        defer {
            _ = facteur_setfsuid(0)
            _ = facteur_setfsgid(group)
            _ = facteur_setgroups(groups.count, groups)
        }
        _ = facteur_setgroups(1, [rights.gid])
        _ = facteur_setfsgid(rights.gid)
        _ = facteur_setfsuid(rights.uid)
        // The calls tell the value of before: a call with an impossible value tells whether they have worked.
        guard fileUser == rights.uid,
            UInt32(bitPattern: facteur_setfsgid(.max)) == rights.gid
        else { return nil }
        return body()
    }

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
