import Foundation

/// One of our servers on a loopback port of the kernel's choice, with `--json`; stopped when it goes out of use.
public final class TestServer: Sendable {
    public let process: ToolProcess
    public let port: UInt16

    /// Starts `tool --listen 127.0.0.1:0 --json ...` and waits until it says where it listens.
    public init(
        _ tool: String, _ arguments: [String] = [], environment: [String: String] = [:], directory: String? = nil,
        limits: String? = nil, listen: String = "127.0.0.1:0"
    ) throws {
        process = try ToolProcess(
            tool, ["--listen", listen, "--json"] + arguments, environment: environment, directory: directory,
            limits: limits)
        while true {
            guard let line = process.nextLine() else { throw TestFailure("\(tool) did not begin to listen") }
            guard line.contains("\"listening\"") else { continue }
            let digits = line.matches(of: /:([0-9]+)"/).last.flatMap { UInt16($0.1) }
            guard let digits else { throw TestFailure("no port in \(line)") }
            port = digits
            return
        }
    }

    /// Asks it to stop (SIGTERM) and returns its exit code.
    @discardableResult
    public func stop(seconds: Double = 20) -> Int32? {
        process.signal(SIGTERM)
        return process.wait(seconds: seconds)
    }
}
