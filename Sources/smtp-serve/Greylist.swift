import Bytes
import CommandLineTool
import Glibc
import SMTP
import Unix

/// Greylisting (RFC 6647): a network, sender and recipient that were not seen together are asked to come again.
///
/// A file for each triplet: empty while it waits, its time when it was first seen; with a line in it once it has come
/// again, its time when it was last seen. Directories can be shared and copied.
struct Greylist: Sendable {
    private static let waitingLifetime = 2 * 86_400
    private static let passedLifetime = 36 * 86_400

    let directory: String
    let delay: Int

    /// Reads `DIR` or `DIR:DELAY`.
    init(_ text: String) {
        if let colon = text.lastIndex(of: ":"),
            let delay = OptionValue.duration(String(text[text.index(after: colon)...])),
            colon != text.startIndex
        {
            directory = String(text[..<colon])
            self.delay = Int(delay.components.seconds)
        } else {
            directory = text
            delay = 300
        }
    }

    /// Nil when the triplet may pass; else how many seconds it has to wait still. Blocks.
    func wait(_ client: IPAddress, _ sender: Path, _ recipient: Path) throws(SystemError) -> Int? {
        let path = "\(directory)/\(name(client, sender, recipient))"
        let now = SystemClock.now.seconds
        guard let status = try? Files.status(path) else { return try begin(path) }
        let age = now - status.st_mtim.tv_sec
        if status.st_size > 0 {
            guard age <= Greylist.passedLifetime else { return try restart(path) }
            try touch(path, passed: nil)
            return nil
        }
        guard age <= Greylist.waitingLifetime else { return try restart(path) }
        if age < delay { return delay - age }
        try touch(path, passed: "passed <\(sender)> <\(recipient)> from \(client)\n")
        return nil
    }

    private func begin(_ path: String) throws(SystemError) -> Int? {
        do throws(SystemError) {
            _ = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        } catch {
            guard error.code == EEXIST else { throw error }
        }
        return delay
    }

    private func restart(_ path: String) throws(SystemError) -> Int? {
        try Files.remove(path)
        return try begin(path)
    }

    private func touch(_ path: String, passed text: String?) throws(SystemError) {
        let file = try FileDescriptor.open(path, O_WRONLY)
        if let text { try file.writeAll(Array(text.utf8)) }
        try file.setTimes(SystemClock.now.seconds)
    }

    /// Removes what is too old to count. Blocks.
    func removeOld() throws(SystemError) {
        let now = SystemClock.now.seconds
        for name in try Files.names(inDirectory: directory) {
            let path = "\(directory)/\(name.text)"
            guard name.count == 32, let status = try? Files.status(path) else { continue }
            let lifetime = status.st_size > 0 ? Greylist.passedLifetime : Greylist.waitingLifetime
            if now - status.st_mtim.tv_sec > lifetime { try? Files.remove(path) }
        }
    }

    /// A network of 24 or 64 bits, since a large sender comes back from another host; names without case.
    private func name(_ client: IPAddress, _ sender: Path, _ recipient: Path) -> String {
        let plain = client.unmapped
        let network = plain.bytes.prefix(plain.isIPv6 ? 8 : 3)
        let key =
            Array(network) + [0] + Array("\(sender)".asciiLowercased.utf8) + [0]
            + Array("\(recipient)".asciiLowercased.utf8)
        return Greylist.hash(key, 0xCBF2_9CE4_8422_2325) + Greylist.hash(key.reversed(), 0x8422_2325_CBF2_9CE4)
    }

    /// A name for a file.
    private static func hash(_ bytes: [UInt8], _ start: UInt64) -> String {
        var hash = FNV1a(offset: start)
        hash.add(bytes)
        let digits = String(hash.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
