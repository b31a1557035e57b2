import CommandLineTool
import Network
import Unix

/// What happens in a server, for people (standard error) and for programs (JSON lines on standard output).
package final class EventLog: Sendable {
    private let json: Bool
    private let verbose: Bool
    private let output: Output

    package init(json: Bool, verbose: Bool, toStandardError: Bool = false) {
        self.json = json
        self.verbose = verbose
        output = Output(onFailure: .discard, toStandardError: toStandardError)
    }

    /// False when nobody listens, so that nothing needs to be put together.
    package var isOn: Bool { json || verbose }

    package func listening(_ address: ListenAddress) {
        write("listening") {
            $0.field("address", "\(address.address)")
            $0.field("tls", address.isTLS)
        } plain: {
            "listening on \(address.address)"
        }
    }

    /// Writes an event: its name, the time, the client, its own fields. Without `plain` people read the JSON too.
    package func write(
        _ event: String, client: SocketAddress? = nil, _ fields: (inout JSONWriter) -> Void = { _ in },
        plain: (() -> String)? = nil
    ) {
        guard isOn else { return }
        var bytes: [UInt8] = []
        if json || plain == nil {
            var line = JSONWriter()
            line.object {
                $0.field("event", event)
                $0.field("time", SystemClock.timestamp)
                if let client { $0.field("client", "\(client)") }
                fields(&$0)
            }
            bytes = line.takeLine()
        }
        if json {
            output.write(bytes)
            output.flush()
        }
        if verbose {
            let text = plain?() ?? String(decoding: bytes.dropLast(), as: UTF8.self)
            Diagnostics.say((plain == nil ? "" : client.map { "\($0): " } ?? "") + text)
        }
    }
}
