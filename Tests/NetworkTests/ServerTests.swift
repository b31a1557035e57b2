import Bytes
import Network
import Testing
import Unix

@Suite("The server driver")
struct ServerTests {
    @Test("echoes lines over many connections at once")
    func echo() throws {
        let total = try EventLoop.run { _ in
            let server = try Server(
                .init(listen: [ListenAddress(.ip(.loopback4, port: 0))], drainTime: .milliseconds(200)))
            let address = server.addresses[0].address
            return await withTaskGroup(of: Int.self) { group in
                group.addTask {
                    await server.run { connection, _ in
                        while let line = try? await connection.receiveLine(limit: 100, timeout: .seconds(5)) {
                            connection.write(line + [ASCII.lf])
                            try? await connection.flush(timeout: .seconds(5))
                        }
                    }
                    return 0
                }
                for client in 0..<50 {
                    group.addTask {
                        guard let connection = try? await Connection.connect(to: address, timeout: .seconds(5))
                        else { return 0 }
                        var good = 0
                        for number in 0..<20 {
                            connection.write("\(client) \(number)\r\n")
                            try? await connection.flush(timeout: .seconds(5))
                            let line = try? await connection.receiveLine(limit: 100, timeout: .seconds(5))
                            if line == Array("\(client) \(number)".utf8) { good += 1 }
                        }
                        return good
                    }
                }
                var total = 0
                for _ in 0..<50 { total += await group.next() ?? 0 }
                group.cancelAll()
                return total
            }
        }
        #expect(total == 1_000)
    }
}
