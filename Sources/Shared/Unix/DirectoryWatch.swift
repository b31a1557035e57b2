import Bytes
import CLinux
import Glibc

/// Tells what appears or changes in a directory (inotify(7)): files moved into it, and files closed after writing.
package final class DirectoryWatch: Sendable {
    private let descriptor: PolledDescriptor
    private let path: String

    /// Begins to watch. Call on the event loop.
    package init(_ path: String) throws(SystemError) {
        self.path = path
        let number = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard number >= 0 else { throw .last("watch", path) }
        let instance = FileDescriptor(owning: number, subject: path)
        let events = UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_ONLYDIR)
        guard withPath(path, { inotify_add_watch(number, $0, events) }) >= 0 else { throw .last("watch", path) }
        descriptor = try PolledDescriptor(instance)
    }

    package func close() { descriptor.close() }

    /// What a wait brought.
    package enum Change: Equatable, Sendable {
        /// The names of files, as often as they changed.
        case names([String])
        /// More happened than the kernel could keep: look at the whole directory.
        case many
        /// The deadline has come, or the task was cancelled.
        case none
    }

    /// Waits for changes until `deadline`, an instant of the event loop's clock.
    package func next(deadline: UInt64?) async -> Change {
        guard await descriptor.waitUntilReadable(deadline: deadline) == .ready else { return .none }
        var names: [String] = []
        while true {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            // Safe: the count is that of the buffer.
            let count = retryingOnInterrupt { Glibc.read(descriptor.number, &buffer, buffer.count) }
            guard count > 0 else { return .names(names) }
            guard let read = DirectoryWatch.names(buffer[..<count]) else { return .many }
            names += read
        }
    }

    /// The names in a read of struct inotify_event; nil when events were lost (IN_Q_OVERFLOW).
    private static func names(_ bytes: ArraySlice<UInt8>) -> [String]? {
        let headSize = 16
        var names: [String] = []
        var rest = bytes
        while rest.count >= headSize {
            let head = Array(rest.prefix(headSize))
            if number(head, 4) & 0x4000 != 0 { return nil }
            let length = Int(number(head, 12))
            let name = rest.dropFirst(headSize).prefix(length).prefix { $0 != 0 }
            if !name.isEmpty { names.append(name.text) }
            rest = rest.dropFirst(headSize + length)
        }
        return names
    }

    /// A number of 32 bits in the byte order of this machine, as the kernel writes it.
    private static func number(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        var value: UInt32 = 0
        withUnsafeMutableBytes(of: &value) { raw in
            // Safe: four bytes are copied into a value of four bytes.
            raw.copyBytes(from: bytes[place..<(place + 4)])
        }
        return value
    }
}
