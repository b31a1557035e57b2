import Foundation
import TestSupport

/// Stands between a client and a server on loopback, and changes what the server says, or cuts it off.
final class TamperingProxy: Sendable {
    var port: UInt16 { listener.port }
    private let listener: LoopbackListener

    /// `change` gets what the server says, and how many octets it has said before on this connection; it returns what the
    /// client is given, and whether the connection ends there.
    init(
        to target: UInt16, change: @escaping @Sendable (_ said: [UInt8], _ before: Int) -> (bytes: [UInt8], ends: Bool)
    ) throws {
        listener = try LoopbackListener { TamperingProxy.carry($0, to: target, change) }
    }

    private static func carry(_ client: Int32, to target: UInt16, _ change: ([UInt8], Int) -> ([UInt8], Bool)) {
        guard let server = LoopbackListener.connect(to: target) else { return }
        defer { close(server) }
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
