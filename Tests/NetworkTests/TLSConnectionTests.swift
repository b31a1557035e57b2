import Bytes
import Foundation
import Network
import OpenSSL
import Testing
import Unix

@Suite("TLS over connections")
struct TLSConnectionTests {
    private static func file(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    /// What a client and a server that echoes say to each other, after what `open` does.
    private func echo(
        _ size: Int, serverName: String = "localhost", trusting authority: String = "authority.pem",
        before: [UInt8] = [], proxy: [UInt8] = []
    ) throws -> [UInt8] {
        let server = try TLSContext(certificateChain: Self.file("server.pem"), key: Self.file("server.key"))
        let client = try TLSContext(authorities: Self.file(authority))
        return try EventLoop.run { _ in
            let listening = try Server(
                .init(listen: [ListenAddress(.ip(.loopback4, port: 0))], drainTime: .milliseconds(100)))
            let address = listening.addresses[0].address
            return try await withThrowingTaskGroup(of: [UInt8].self) { group in
                group.addTask {
                    await listening.run { connection, _ in
                        do {
                            if !proxy.isEmpty {
                                while connection.input.count < proxy.count {
                                    guard try await connection.receive(timeout: .seconds(5)) else { return }
                                }
                                connection.input.consume(proxy.count)
                            }
                            try await connection.startTLS(
                                server: server, takingInput: !proxy.isEmpty, timeout: .seconds(5))
                            while try await connection.receive(timeout: .seconds(5)) {
                                connection.write(connection.input.takeAll())
                                try await connection.flush(timeout: .seconds(5))
                            }
                        } catch {}
                    }
                    return []
                }
                let connection = try await Connection.connect(to: address, timeout: .seconds(5))
                if !before.isEmpty || !proxy.isEmpty {
                    connection.write(before + proxy)
                    try await connection.flush(timeout: .seconds(5))
                }
                try await connection.startTLS(client: client, serverName: serverName, timeout: .seconds(5))
                let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                connection.write(sent)
                try await connection.flush(timeout: .seconds(5))
                var received: [UInt8] = []
                while received.count < size, try await connection.receive(timeout: .seconds(5)) {
                    received += connection.input.takeAll()
                }
                connection.close()
                group.cancelAll()
                return received == sent ? [1] : []
            }
        }
    }

    @Test("200,000 octets go to and fro")
    func large() throws { #expect(try echo(200_000) == [1]) }

    @Test("another name, another authority, or octets that are no TLS are an error")
    func refused() {
        #expect(throws: (any Error).self) { try echo(10, serverName: "other.example") }
        #expect(throws: (any Error).self) { try echo(10, trusting: "server-other.pem") }
        #expect(throws: (any Error).self) { try echo(10, before: Array("EHLO x\r\n".utf8)) }
    }

    @Test("TLS that begins right behind a proxy's header is not lost")
    func behindProxy() throws {
        #expect(try echo(1_000, proxy: Array("PROXY UNKNOWN\r\n".utf8)) == [1])
    }
}
