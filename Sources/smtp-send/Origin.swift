import Bytes
import Glibc
import MessageFormat
import Unix

/// What a message gets from here when it does not say so itself: sender, date, identifier.
enum Origin {
    /// `user@host` of whoever runs the tool.
    static var address: String {
        "\(SystemAccount.ownName ?? "nobody")@\(Host.name)"
    }

    /// Now, in the zone of this machine.
    static var now: DateTime {
        let now = SystemClock.now.seconds
        return DateTime(epoch: now, offset: SystemClock.zoneOffset(at: now))
    }

    /// What stands behind the @ of an identifier: this host, or the sender's domain when the host has no full name.
    static func identifierHost(sender: String) -> String {
        let host = Host.name
        return host.utf8.contains(ASCII.dot) ? host : sender.split(separator: "@").last.map(String.init) ?? host
    }

    /// A Message-ID field's value that no other message has.
    static func messageID(sender: String) -> String {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<16 { bytes.append(UInt8.random(in: 0...255, using: &generator)) }
        return "<\(SystemClock.now.seconds).\(Hexadecimal.encode(bytes))@\(identifierHost(sender: sender))>"
    }
}
