import Bytes
import MessageFormat
import Unix

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
        }
        guard subject.forms.contains(where: { ["addr", "name", "host", "domain", "ip", "revip"].contains($0) }) else {
            return Array(lines.joined())
        }
        let domains = facts.tables.domains
        if subject.forms.contains("host") || subject.forms.contains("domain") {
            lines = lines.compactMap { host(in: $0, isAddress: subject.forms.contains("addr"), domains) }
            if subject.forms.contains("domain") {
                lines = lines.map { Array(domains.registered($0.map(\.asciiLowercased).text).utf8) }
            }
        } else if subject.forms.contains("ip") || subject.forms.contains("revip") {
            let addresses = lines.compactMap(address)
            lines = addresses.map { address in
                let isReversed = subject.forms.contains("revip")
                return Array((isReversed ? IPAddress(address).map(EvalTests.reversed) ?? address : address).utf8)
            }
        }
        return lines.isEmpty ? nil : Array(lines.joined(separator: [ASCII.lf]))
    }

    /// The host of an address; of other text, what stands behind an `@`, else the first word that is a domain.
    private static func host(in line: [UInt8], isAddress: Bool, _ domains: DomainTables) -> [UInt8]? {
        if isAddress { return line.lastIndex(of: ASCII.at).map { Array(line[($0 + 1)...]) } }
        let words = line.split { !$0.isASCIIAlphanumeric && ![ASCII.dot, ASCII.dash, ASCII.underscore].contains($0) }
        let hosts = words.map { $0.drop { $0 == ASCII.dot } }.filter(domains.isDomain)
        return (hosts.last { $0.startIndex > 0 && line[$0.startIndex - 1] == ASCII.at } ?? hosts.first).map(Array.init)
    }

    /// The first IP address of a text.
    private static func address(in line: [UInt8]) -> String? {
        line.split { $0.hexadecimalValue == nil && $0 != ASCII.dot && $0 != ASCII.colon }.lazy.map(\.text).first {
            ($0.contains(".") || $0.contains(":")) && IPAddress($0) != nil
        }
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
