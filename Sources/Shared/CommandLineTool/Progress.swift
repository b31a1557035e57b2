import Bytes
import Glibc

/// One line on standard error that says how far a long run is: only on a terminal, a few times a second.
package struct Progress: ~Copyable {
    private let isShown: Bool
    private let unit: String
    private let start = ContinuousClock.now
    private var lastShown = ContinuousClock.now
    private var isOnScreen = false

    /// `when` is `auto` (on a terminal), `always` or `never`; `unit` is what is counted, in the plural.
    package init(_ when: String, unit: String) {
        isShown = when == "always" || (when == "auto" && Terminal.isTerminal(2))
        self.unit = unit
    }

    /// Tells how much is done; `total` is the whole in the same measure as `done`, when it is known.
    package mutating func update(count: Int, done: Int, total: Int?) {
        guard isShown else { return }
        let now = ContinuousClock.now
        guard now - lastShown > .milliseconds(200) else { return }
        lastShown = now
        let seconds = Double((now - start) / .milliseconds(1)) / 1_000
        var line = "\(count) \(unit)"
        if let total, total > 0 { line += ", \(min(100, done * 100 / total)) %" }
        line += ", \(DecimalText.format(Double(done) / 1e6 / seconds, decimals: 0)) MB/s"
        if let total, done > 0, total > done {
            line += ", \(DecimalText.format(seconds * Double(total - done) / Double(done), decimals: 0)) s left"
        }
        show("\r\(line)\u{1B}[K")
        isOnScreen = true
    }

    /// Tells how many there were so far, of things whose size says nothing.
    package mutating func update(count: Int) {
        guard isShown else { return }
        let now = ContinuousClock.now
        guard now - lastShown > .milliseconds(200) else { return }
        lastShown = now
        let seconds = Double((now - start) / .milliseconds(1)) / 1_000
        show("\r\(count) \(unit), \(DecimalText.format(Double(count) / seconds, decimals: 0)) /s\u{1B}[K")
        isOnScreen = true
    }

    /// Takes the line away.
    package mutating func finish() {
        if isOnScreen { show("\r\u{1B}[K") }
        isOnScreen = false
    }

    private func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}
