import Foundation
import TestSupport

/// Stands between a client and a server on loopback, and changes what the server says, or cuts it off.
final class TamperingProxy: @unchecked Sendable {
    let port: UInt16
    private let socket: Int32

    /// `change` gets what the server says, and how many octets it has said before on this connection; it returns what the
    /// client is given, and whether the connection ends there.
    init(
        to target: UInt16, change: @escaping @Sendable (_ said: [UInt8], _ before: Int) -> (bytes: [UInt8], ends: Bool)
    ) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listening = socket
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listening, $0, length) == 0 && listen(listening, 20) == 0
                    && getsockname(listening, $0, &length) == 0
            }
        }
        guard bound else { throw TestFailure("no port") }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread {
            while true {
                let client = accept(listening, nil, nil)
                guard client >= 0 else { return }
                Thread.detachNewThread { TamperingProxy.carry(client, to: target, change) }
            }
        }
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
    }

    private static func carry(_ client: Int32, to target: UInt16, _ change: ([UInt8], Int) -> ([UInt8], Bool)) {
        let server = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        defer {
            close(client)
            close(server)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = target.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { return }
        var said = 0
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var polls = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polls, 2, 60_000) > 0 else { return }
            if polls[0].revents != 0 {
                let count = recv(client, &buffer, buffer.count, 0)
                guard count > 0, send(server, buffer, count, Int32(MSG_NOSIGNAL)) == count else { return }
            }
            if polls[1].revents != 0 {
                let count = recv(server, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let (bytes, ends) = change(Array(buffer[..<count]), said)
                said += count
                _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                if ends { return }
            }
        }
    }
}
