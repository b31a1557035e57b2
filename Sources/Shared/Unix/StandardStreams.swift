import CLinux
import Glibc

/// Standard input and output as one socket, for servers that inetd or a person starts: what is no socket itself is
/// carried to and from one.
package struct StandardStreams: ~Copyable, Sendable {
    /// A non-blocking stream socket.
    package var socket: FileDescriptor?
    /// The other end, when standard input is a connection itself.
    package let peer: SocketAddress
    private let isCarried: Bool
    private let carried: Int32

    package init() throws(SystemError) {
        var kind: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        if getsockopt(0, SOL_SOCKET, SO_TYPE, &kind, &length) == 0 {
            let number = fcntl(0, F_DUPFD_CLOEXEC, 3)
            guard number >= 0 else { throw .last("use", "standard input") }
            let descriptor = FileDescriptor(owning: number, subject: "standard input")
            descriptor.makeNonBlocking()
            socket = consume descriptor
            peer = Sockets.peerAddress(0)
            isCarried = false
            carried = -1
            return
        }
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | O_CLOEXEC
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .last("make", "a pair of sockets") }
        let descriptor = FileDescriptor(owning: ends[0], subject: "standard input")
        descriptor.makeNonBlocking()
        socket = consume descriptor
        peer = .unix("")
        isCarried = true
        carried = ends[1]
        let other = ends[1]
        submitFileWork { StandardStreams.carry(from: 0, to: other) }
    }

    /// Carries what the server says to standard output; returns at its end.
    package func carryOutput() async {
        guard isCarried else { return }
        let other = carried
        await offload { () -> Void in StandardStreams.carry(from: other, to: 1) }
    }

    private static func carry(from source: Int32, to destination: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = retryingOnInterrupt { read(source, &buffer, buffer.count) }
            guard count > 0 else { break }
            var sent = 0
            while sent < count {
                // Safe: the part lies within the buffer.
                let written = buffer[sent..<count].withUnsafeBytes { part in
                    retryingOnInterrupt { write(destination, part.baseAddress, part.count) }
                }
                guard written > 0 else { return }
                sent += written
            }
        }
        if source == 0 { shutdown(destination, Int32(SHUT_WR)) }
    }
}
