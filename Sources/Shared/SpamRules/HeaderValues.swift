import Bytes
import MessageFormat

/// The values that `header` rules look at.
enum HeaderValues {
    static func value(of subject: HeaderSubject, in facts: MessageFacts) -> [UInt8]? {
        var lines = self.lines(subject, facts)
        guard !lines.isEmpty else { return nil }
        if subject.forms.contains("first") { lines = [lines[0]] }
        if subject.forms.contains("last"), let last = lines.last { lines = [last] }
        if subject.forms.contains("addr") || subject.forms.contains("name") {
            lines = addresses(lines, subject.forms)
            guard !lines.isEmpty else { return nil }
            if subject.forms.contains("host") || subject.forms.contains("domain") {
                lines = lines.compactMap { line in line.lastIndex(of: ASCII.at).map { Array(line[($0 + 1)...]) } }
            }
            return Array(lines.joined(separator: [ASCII.lf]))
        }
        return Array(lines.joined())
    }

    private static func lines(_ subject: HeaderSubject, _ facts: MessageFacts) -> [[UInt8]] {
        let isRaw = subject.forms.contains { ["raw", "addr", "name"].contains($0) }
        func values(_ names: String...) -> [[UInt8]] {
            names.flatMap { name in
                facts.fields.filter { $0.key == name }.map { isRaw ? $0.raw : $0.decodedLine }
            }
        }
        switch subject.name {
        case "*all": return all(facts, isRaw, 0..<facts.fields.count)
        case "*all-trusted": return all(facts, isRaw, facts.relays.fields(.trusted))
        case "*all-internal": return all(facts, isRaw, facts.relays.fields(.internal))
        case "*all-untrusted": return all(facts, isRaw, facts.relays.fields(.untrusted))
        case "*all-external": return all(facts, isRaw, facts.relays.fields(.external))
        case "tocc": return values("to", "cc")
        case "*messageid":
            return values("x-message-id", "resent-message-id", "x-original-message-id", "message-id")
        case "envelopefrom": return facts.relays.envelopeFrom.map { [Array($0.utf8)] } ?? []
        case "x-spam-relays-trusted": return [Array(facts.relays.text(.trusted).utf8)]
        case "x-spam-relays-untrusted": return [Array(facts.relays.text(.untrusted).utf8)]
        case "x-spam-relays-internal": return [Array(facts.relays.text(.internal).utf8)]
        case "x-spam-relays-external": return [Array(facts.relays.text(.external).utf8)]
        default: return values(subject.name)
        }
    }

    private static func all(_ facts: MessageFacts, _ isRaw: Bool, _ range: Range<Int>) -> [[UInt8]] {
        facts.fields[range].map { $0.name + [ASCII.colon, ASCII.space] + (isRaw ? $0.raw : $0.decodedLine) }
    }

    /// Addresses or display names of the values, one a line.
    private static func addresses(_ lines: [[UInt8]], _ forms: [String]) -> [[UInt8]] {
        let addresses = lines.flatMap { AddressList.parse(MessageField.unfolded($0)).addresses }
        return forms.contains("addr")
            ? addresses.compactMap { $0.address.map { Array($0.utf8) } }
            : addresses.compactMap { $0.name.map { Array($0.utf8) } }
    }
}
