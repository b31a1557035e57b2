import CommandLineTool
import Network
import Unix

/// What happens, for people (standard error) and for programs (JSON lines on standard output).
final class EventLog: Sendable {
    private let json: Bool
    private let verbose: Bool
    private let output = Output(onFailure: .discard)

    init(json: Bool, verbose: Bool) {
        self.json = json
        self.verbose = verbose
    }

    func listening(_ address: ListenAddress) {
        write("listening", client: nil) {
            $0.field("address", "\(address.address)")
            $0.field("tls", address.isTLS)
        }
    }

    /// Writes an event with its fields.
    func write(_ event: String, client: SocketAddress?, _ fields: (inout JSONWriter) -> Void) {
        guard json || verbose else { return }
        var line = JSONWriter()
        line.object {
            $0.field("event", event)
            $0.field("time", SystemClock.timestamp)
            if let client { $0.field("client", "\(client)") }
            fields(&$0)
        }
        let bytes = line.takeLine()
        if json {
            output.write(bytes)
            output.flush()
        }
        if verbose { Diagnostics.say(String(decoding: bytes.dropLast(), as: UTF8.self)) }
    }
}
