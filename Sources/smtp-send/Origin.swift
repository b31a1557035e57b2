import Bytes
import Glibc
import MessageFormat
import Unix

/// What a message gets from here when it does not say so itself: sender, date, identifier.
enum Origin {
    /// `user@host` of whoever runs the tool.
    static var address: String {
        let name = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "nobody"
        return "\(name)@\(Host.name)"
    }

    /// A Date field's value: now, in the zone of this machine.
    static var date: String {
        let now = SystemClock.now.seconds
        return DateTime(epoch: now, offset: SystemClock.zoneOffset(at: now)).text
    }

    /// A Message-ID field's value that no other message has.
    static func messageID(sender: String) -> String {
        let host = Host.name
        let domain = host.utf8.contains(ASCII.dot) ? host : sender.split(separator: "@").last.map(String.init) ?? host
        return "<\(SystemClock.now.seconds).\(token)@\(domain)>"
    }

    /// 32 hexadecimal digits by chance.
    static var token: String {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<16 { bytes.append(UInt8.random(in: 0...255, using: &generator)) }
        return Hexadecimal.encode(bytes)
    }
}
