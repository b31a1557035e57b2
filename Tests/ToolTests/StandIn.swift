import Foundation
import TestSupport

/// A service that answers each connection as a test says, byte for byte.
final class StandIn: Sendable {
    var port: UInt16 { listener.port }
    private let listener: LoopbackListener

    /// `serve` gets what has come so far, and what was answered; it returns the next answer, or nil to wait for more.
    init(
        _ serve:
            @escaping @Sendable (_ received: [UInt8], _ answers: Int) -> (answer: [UInt8], consumed: Int, isLast: Bool)?
    ) throws {
        listener = try LoopbackListener { StandIn.talk($0, serve) }
    }

    private static func talk(
        _ connection: Int32, _ serve: ([UInt8], Int) -> (answer: [UInt8], consumed: Int, isLast: Bool)?
    ) {
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
