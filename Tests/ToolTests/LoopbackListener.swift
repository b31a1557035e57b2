import Foundation
import TestSupport

/// A listening socket on a loopback port, each of whose connections is served on a thread of its own.
final class LoopbackListener: Sendable {
    let port: UInt16
    private let socket: Int32

    /// `port` 0: the kernel chooses. `serve` has a connection until it returns; then it is closed.
    init(address: String = "127.0.0.1", port wanted: UInt16 = 0, serve: @escaping @Sendable (Int32) -> Void) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var one: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = wanted.bigEndian
        inet_pton(AF_INET, address, &place.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = self.socket
        let bound = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && listen(socket, 64) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw TestFailure("cannot listen on \(address):\(wanted)") }
        port = UInt16(bigEndian: place.sin_port)
        Thread.detachNewThread {
            while true {
                let client = accept(socket, nil, nil)
                guard client >= 0 else {
                    Glibc.close(socket)
                    return
                }
                Thread.detachNewThread {
                    serve(client)
                    Glibc.close(client)
                }
            }
        }
    }

    deinit { stop() }

    /// Stops listening.
    func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

    /// A connection to a port on loopback; nil when there is none to be had.
    static func connect(to port: UInt16) -> Int32? {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return socket }
        close(socket)
        return nil
    }
}
