import Foundation
import TestSupport
import Testing

/// mx beside kdig, both asking NSD.
@Suite("mx and NSD", .serialized)
struct MXPeerTests {
    /// NSD on a loopback port with one zone; stopped at the end of the test.
    final class NameServer {
        let process: ToolProcess
        let port: Int
        private let folder: TestDirectory

        init(_ program: String, zone: String) throws {
            folder = try TestDirectory()
            port = try NameServer.freePort()
            let zoneFile = try folder.write("zone", zone)
            let configuration = try folder.write(
                "nsd.conf",
                """
                server:
                  ip-address: 127.0.0.1@\(port)
                  username: ""
                  chroot: ""
                  zonesdir: "\(folder.path)"
                  pidfile: "\(folder.path)/pid"
                  database: ""
                  xfrdfile: "\(folder.path)/xfrd"
                  zonelistfile: "\(folder.path)/zones"
                  server-count: 1
                  rrl-ratelimit: 0
                  logfile: "\(folder.path)/log"
                remote-control:
                  control-enable: no
                zone:
                  name: example.org
                  zonefile: "\(zoneFile)"
                """)
            process = try ToolProcess(program, ["-d", "-c", configuration])
            for _ in 0..<100 {
                if try ToolProcess.run("mx", ["-q", "--timeout", "0.1", "--server", server, "example.org"]).status == 0
                {
                    return
                }
                usleep(50_000)
            }
            throw TestFailure("NSD does not answer")
        }

        var server: String { "127.0.0.1:\(port)" }

        func stop() {
            process.signal(SIGTERM)
            _ = process.wait(seconds: 10)
        }

        private static func freePort() throws -> Int {
            let server = try DNSTestServer { _ in [] }
            server.stop()
            // The port is free again once the server's thread has seen that it is to stop.
            usleep(200_000)
            return Int(server.port)
        }
    }

    static func zone() -> String {
        var lines = [
            "$ORIGIN example.org.", "$TTL 300", "@ SOA ns h 1 1 1 1 60", "@ NS ns", "ns A 127.0.0.1", "@ MX 20 mx2",
            "@ MX 10 mx1", "mx1 A 192.0.2.1", "mx1 AAAA 2001:db8::1", "mx2 A 192.0.2.2", "web A 192.0.2.9",
            "null MX 0 .", "alias CNAME web", "many MX 1 mx1",
        ]
        lines += (0..<200).map { "many MX \($0 + 2) a-host-with-a-long-name-to-fill-the-answer-\($0).many" }
        lines += (0..<500).map { "n\($0) MX 10 mx1.n\($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    @Test("the same records as kdig shows, over UDP, over TCP and after truncation")
    func records() throws {
        guard let nsd = ToolProcess.peer("nsd"), let kdig = ToolProcess.peer("kdig") else {
            print("nsd or kdig is not installed: mx is not compared with them")
            return
        }
        let server = try NameServer(nsd, zone: MXPeerTests.zone())
        defer { server.stop() }
        for name in ["example.org", "many.example.org"] {
            let theirs = try ToolProcess.run(kdig, ["@127.0.0.1", "-p", "\(server.port)", "+short", name, "MX"]).lines
                .map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
            for words in [[], ["--tcp"], ["--no-edns"], ["--0x20"]] {
                let ours = try ToolProcess.run("mx", ["--server", server.server, "-s", name] + words).lines
                #expect(Set(ours) == Set(theirs) && ours.count == theirs.count, "\(name) \(words)")
            }
        }
    }

    @Test("verdicts on what NSD answers, and a batch in order")
    func verdicts() throws {
        guard let nsd = ToolProcess.peer("nsd") else {
            print("nsd is not installed: mx is not tried with it")
            return
        }
        let server = try NameServer(nsd, zone: MXPeerTests.zone())
        defer { server.stop() }
        let cases: [(String, Int32, String)] = [
            ("example.org", 0, "mx"), ("web.example.org", 0, "implicit"), ("alias.example.org", 0, "implicit"),
            ("null.example.org", 68, "null"), ("none.example.org", 68, "nxdomain"), ("ns.example.com", 75, "tempfail"),
        ]
        for (name, status, word) in cases {
            let result = try ToolProcess.run(
                "mx", ["--no-hosts", "--server", server.server, "--format", "{status}", name])
            #expect(result.lines == [word] && result.status == status, "\(name)")
        }
        let names = (0..<500).map { "n\($0).example.org" }
        let rows = try ToolProcess.run(
            "mx", ["--server", server.server, "-s", "--format", "{domain} {host}"],
            input: Array((names.joined(separator: "\n") + "\n").utf8)
        ).lines
        #expect(rows == names.map { "\($0) mx1.\($0)" })
    }
}
