import CLinux
import Glibc

/// A UDP socket that speaks with one address, many datagrams a system call: the kernel drops what comes from any other.
/// On the thread of the loop that it was made on.
package final class DatagramChannel: LoopWatched {
    let number: Int32
    private let loop: EventLoop
    private let peer: SocketAddress
    private var isOpen = true
    /// Called when there is something to receive, or an error to be told of.
    package var onReadable: () -> Void = {}

    /// Opens a socket with a port that the kernel chooses, and with room for so many bytes that were not received yet.
    package init(to peer: SocketAddress, receiveBuffer: Int, on loop: EventLoop) throws(SystemError) {
        self.peer = peer
        self.loop = loop
        let descriptor = try Sockets.connectedDatagram(to: peer)
        var size = Int32(clamping: receiveBuffer)
        // The kernel gives what its limit allows; less is no error.
        setsockopt(descriptor.number, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        number = descriptor.release()
        do throws(SystemError) {
            try loop.watch(self)
        } catch {
            Glibc.close(number)
            isOpen = false
            throw error
        }
    }

    /// Closes the socket, and nothing more is told of it.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        onReadable = {}
        loop.forget(self)
        Glibc.close(number)
    }

    // What is not received stays readable, so one call an event is enough.
    var interest: UInt32 { EPOLLIN.rawValue }

    func handle(_ events: UInt32) { onReadable() }

    /// Sends the datagrams that lie one after the other in `bytes` and end at `ends`, from number `first` on, 32 at most.
    ///
    /// - Returns: how many were sent; 0 when the kernel takes none now.
    /// - Throws: `SystemError`, also for an earlier datagram that was refused (ICMP).
    package func send(_ bytes: [UInt8], ends: [UInt32], from first: Int) throws(SystemError) -> Int {
        guard first < ends.count, let last = ends.last, last <= bytes.count else { return 0 }
        let start = first == 0 ? 0 : ends[first - 1]
        // Safe: the ends ascend within `bytes`, and the count is that of the ends that are left.
        let count = ends.withUnsafeBufferPointer { ends in
            retryingOnInterrupt {
                Int(
                    facteur_send_datagrams(
                        number, bytes, start, ends.baseAddress?.advanced(by: first), UInt32(ends.count - first)))
            }
        }
        if count >= 0 { return count }
        guard errno == EAGAIN || errno == ENOBUFS else { throw .last("send to", "\(peer)") }
        return 0
    }

    /// Receives what has come, 32 datagrams at most, into `buffer`.
    ///
    /// - Throws: `SystemError`, also for a datagram that was refused (ICMP).
    package func receive(into buffer: DatagramBuffer) throws(SystemError) {
        let count = retryingOnInterrupt { buffer.fill { facteur_receive_datagrams(number, $0, $1, $2, $3) } }
        guard count >= 0 || errno == EAGAIN else { throw .last("receive from", "\(peer)") }
    }
}

/// Room for the datagrams of one system call.
package final class DatagramBuffer {
    private static let capacity = Int(facteur_datagrams_limit)
    /// A datagram of any length is whole. What no datagram fills is never touched, so it takes no memory.
    private static let stride = 65_536

    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity * stride)
    private var lengths = [UInt32](repeating: 0, count: capacity)
    /// How many datagrams there are.
    package private(set) var count = 0

    package init() {}

    deinit { bytes.deallocate() }

    fileprivate func fill(
        _ receive: (UnsafeMutablePointer<UInt8>, Int, UnsafeMutablePointer<UInt32>?, UInt32) -> Int32
    ) -> Int {
        let result = lengths.withUnsafeMutableBufferPointer { lengths in
            receive(bytes, DatagramBuffer.stride, lengths.baseAddress, UInt32(DatagramBuffer.capacity))
        }
        count = max(0, Int(result))
        return Int(result)
    }

    /// Calls `body` with datagram number `index`, which must be below `count`.
    package func withDatagram(_ index: Int, _ body: (Span<UInt8>) -> Void) {
        precondition(index < count)
        let length = min(Int(lengths[index]), DatagramBuffer.stride)
        // Safe: the kernel filled `length` bytes there, and the span does not leave `body`.
        body(Span(_unsafeStart: UnsafePointer(bytes + index * DatagramBuffer.stride), count: length))
    }
}
