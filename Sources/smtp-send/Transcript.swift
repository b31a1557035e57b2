import Bytes
import CommandLineTool
import Glibc

/// The session as it goes, on standard error: `<-` what the server says, `->` what it is told. Secrets are hidden,
/// unless they were asked for.
struct Transcript: Sendable {
    let isOn: Bool
    /// The start of a server's line whose end has not come.
    private var partial: [UInt8] = []
    /// A line that never ends is shown up to here.
    private static let lineLimit = 4_096

    private let showsSecrets: Bool

    init(isOn: Bool, showsSecrets: Bool) {
        self.isOn = isOn
        self.showsSecrets = showsSecrets
    }

    /// Something that is neither said nor told: connections, TLS.
    func note(_ text: @autoclosure () -> String) {
        if isOn { write("=== " + text()) }
    }

    func sent(_ bytes: [UInt8], isConcealed: Bool) {
        guard isOn else { return }
        for line in bytes.split(separator: ASCII.lf) {
            let text = line.last == ASCII.cr ? line.dropLast().text : line.text
            write("-> " + (isConcealed && !showsSecrets ? Self.conceal(text) : text))
        }
    }

    func sentMessage(octets: Int) {
        if isOn { write("-> (the message: \(octets) octets)") }
    }

    mutating func received(_ bytes: Span<UInt8>) {
        guard isOn else { return }
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte == ASCII.lf {
                if partial.last == ASCII.cr { partial.removeLast() }
                write("<- " + partial.text)
                partial.removeAll(keepingCapacity: true)
            } else if partial.count < Self.lineLimit {
                partial.append(byte)
            }
        }
    }

    /// `AUTH PLAIN AGEAYg==` becomes `AUTH PLAIN (hidden)`.
    private static func conceal(_ line: String) -> String {
        let words = line.split(separator: " ")
        guard words.count > 1, words[0] == "AUTH" else { return "(hidden)" }
        return words.prefix(2).joined(separator: " ") + " (hidden)"
    }

    private func write(_ line: String) {
        let bytes = Array((TerminalText.escape(line) + "\n").utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}
