import Foundation
import TestSupport

/// A service that answers each connection as a test says, byte for byte.
final class StandIn: @unchecked Sendable {
    let port: UInt16
    private let socket: Int32

    /// `serve` gets what has come so far, and what was answered; it returns the next answer, or nil to wait for more.
    init(
        _ serve:
            @escaping @Sendable (_ received: [UInt8], _ answers: Int) -> (answer: [UInt8], consumed: Int, isLast: Bool)?
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
        Thread {
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0 else { return }
                Thread { StandIn.talk(connection, serve) }.start()
            }
        }.start()
    }

    deinit { shutdown(socket, Int32(SHUT_RDWR)); close(socket) }

    private static func talk(
        _ connection: Int32, _ serve: ([UInt8], Int) -> (answer: [UInt8], consumed: Int, isLast: Bool)?
    ) {
        defer { close(connection) }
        var received: [UInt8] = []
        var answers = 0
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            while let (answer, consumed, isLast) = serve(received, answers) {
                answers += 1
                received.removeFirst(consumed)
                _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                if isLast { return }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }
}
