import Foundation
import Synchronization
import TestSupport

/// An SMTP server of a test's own making on a loopback port: every line gets the answer that the test wants.
final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        /// Lines without their CRLF.
        case say([String])
        /// Bytes as they are, then the end of the connection.
        case sayAndClose(String)
        case close
        case silence

        static func say(_ line: String) -> Answer { .say([line]) }
    }

    /// What the server heard, in order: `connect`, command lines, and `.` at the end of a message.
    struct Log: Sendable {
        var lines: [String] = []
        /// Each message as it came, stuffed, with its final dot.
        var messages: [String] = []
        var connections = 0
    }

    /// Where it listens, or has listened.
    var port: UInt16 { number.withLock { $0 } }
    private let number = Mutex<UInt16>(0)
    private let listener = Mutex<LoopbackListener?>(nil)
    private let state = Mutex(Log())

    var log: Log { state.withLock { $0 } }

    /// `answer` gets `connect` or a line, and how many times that verb was heard before on all connections.
    init(address: String = "127.0.0.1", port wanted: UInt16 = 0, answer: @escaping @Sendable (String, Int) -> Answer)
        throws
    {
        let listening = try LoopbackListener(address: address, port: wanted) { [self] in serve($0, answer) }
        number.withLock { $0 = listening.port }
        listener.withLock { $0 = listening }
    }

    /// Stops listening.
    func stop() { listener.withLock { $0 = nil } }

    private func serve(_ client: Int32, _ answer: @Sendable (String, Int) -> Answer) {
        state.withLock { $0.connections += 1 }
        guard reply(client, note("connect", answer)) else { return }
        var pending: [UInt8] = []
        var message: [UInt8]?
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(client, &buffer, buffer.count, 0)
            if count <= 0 { return }
            pending += buffer[..<count]
            var start = 0
            while let end = pending[start...].firstIndex(of: 10) {
                let raw = pending[start...end]
                start = end + 1
                message?.append(contentsOf: raw)
                if message != nil, raw.count != 3 || raw.first != UInt8(ascii: ".") { continue }
                if let whole = message {
                    state.withLock { $0.messages.append(String(decoding: whole, as: UTF8.self)) }
                    message = nil
                }
                let line = String(decoding: raw.filter { $0 != 13 && $0 != 10 }, as: UTF8.self)
                let said = note(line, answer)
                if case .say(let lines) = said, lines.last?.hasPrefix("354") ?? false { message = [] }
                guard reply(client, said) else { return }
            }
            pending.removeFirst(start)
        }
    }

    private func note(_ line: String, _ answer: @Sendable (String, Int) -> Answer) -> Answer {
        let verb = line.prefix { $0 != " " }
        let before = state.withLock { log in
            defer { log.lines.append(line) }
            return log.lines.count { $0.prefix { $0 != " " } == verb }
        }
        return answer(line, before)
    }

    /// False when the connection is to be closed.
    private func reply(_ client: Int32, _ answer: Answer) -> Bool {
        switch answer {
        case .say(let lines):
            send(client, lines.map { $0 + "\r\n" }.joined())
            return true
        case .sayAndClose(let text):
            send(client, text)
            return false
        case .close: return false
        case .silence: return true
        }
    }

    private func send(_ client: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// A server that takes everything, with these extensions.
    static func good(_ line: String, _ extensions: [String] = ["PIPELINING", "8BITMIME", "SIZE 10000000"]) -> Answer {
        switch line.prefix(4).uppercased() {
        case "CONN": .say("220 test.example ESMTP")
        case "EHLO", "LHLO":
            .say(
                (["test.example"] + extensions).enumerated().map { index, word in
                    "250\(index == extensions.count ? " " : "-")\(word)"
                })
        case "DATA": .say("354 go on")
        case "QUIT": .sayAndClose("221 2.0.0 bye\r\n")
        case ".": .say("250 2.0.0 queued as 7F3A")
        default: .say("250 2.0.0 ok")
        }
    }
}
