import Glibc
import Unix

/// A UDP socket that speaks with one address: the kernel drops what comes from any other.
package final class DatagramSocket {
    private let socket: PolledDescriptor
    /// The address it speaks with.
    package let peer: SocketAddress

    /// Opens a socket with a port that the kernel chooses. Call on the loop.
    package init(to peer: SocketAddress) throws(SystemError) {
        self.peer = peer
        socket = try PolledDescriptor(Sockets.connectedDatagram(to: peer))
    }

    deinit { socket.close() }

    /// Sends one datagram. A refused port (ICMP) shows here or in `receive` as ECONNREFUSED.
    package func send(_ datagram: [UInt8]) throws(SystemError) {
        let count = retryingOnInterrupt { Glibc.send(socket.number, datagram, datagram.count, 0) }
        guard count >= 0 || errno == EAGAIN else { throw .last("send to", "\(peer)") }
    }

    /// The next datagram, cut at 65,535 bytes; nil when none came until `deadline` (the loop's clock) or the task was
    /// cancelled.
    package func receive(deadline: UInt64) async throws(SystemError) -> [UInt8]? {
        while true {
            var buffer = [UInt8](repeating: 0, count: 65_535)
            let count = retryingOnInterrupt { recv(socket.number, &buffer, buffer.count, 0) }
            if count >= 0 {
                buffer.removeLast(buffer.count - count)
                return buffer
            }
            guard errno == EAGAIN else { throw .last("receive from", "\(peer)") }
            guard await socket.waitUntilReadable(deadline: deadline) == .ready else { return nil }
        }
    }
}
