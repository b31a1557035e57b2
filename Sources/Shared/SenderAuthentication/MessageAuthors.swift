import Bytes
import DNS
import MessageFormat

/// Who a message says it is from: the domains of its From field (RFC 5322 3.6.2).
package struct MessageAuthors: Equatable, Sendable {
    /// How many From fields there are.
    package let fieldCount: Int
    /// The domains of their addresses as A-labels in lower case, each once.
    package let domains: [String]

    /// The one domain that DMARC speaks of; nil when there is none, or more than one.
    package var domain: String? { fieldCount == 1 && domains.count == 1 ? domains[0] : nil }

    /// Why there is no domain for DMARC.
    package var problem: String? {
        switch (fieldCount, domains.count) {
        case (0, _): "there is no From field"
        case (1, 0): "From has no address with a domain"
        case (1, 1): nil
        case (1, _): "From has addresses of more than one domain: \(domains.prefix(4).joined(separator: ", "))"
        default: "there is more than one From field"
        }
    }

    init(_ header: SignedHeader, _ bytes: Span<UInt8>) {
        let key = SignedField.key("from".utf8)
        var count = 0
        var domains: [String] = []
        for field in header.fields where field.key == key && field.isNamed("from".utf8, bytes) {
            count += 1
            if count > 4 { continue }
            let value = MessageAuthors.unfolded(bytes, field.content)
            for address in AddressList.parse(value).addresses {
                guard let text = address.address, let domain = MessageAuthors.domain(of: text) else { continue }
                if !domains.contains(domain) { domains.append(domain) }
            }
        }
        fieldCount = count
        self.domains = domains
    }

    /// More of a From field than this is not looked at.
    private static let valueLimit = 65_536

    private static func unfolded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        bytes.array(range.lowerBound..<min(range.upperBound, range.lowerBound + valueLimit))
            .filter { $0 != ASCII.cr && $0 != ASCII.lf }
    }

    /// What stands behind the last at sign, as A-labels in lower case; nil for what is no name.
    static func domain(of address: String) -> String? {
        guard let at = address.utf8.lastIndex(of: ASCII.at) else { return nil }
        let text = String(address[address.utf8.index(after: at)...])
        guard let ascii = try? InternationalName.ascii(text), let name = try? DomainName(ascii), !name.isRoot,
            name.isPlain
        else { return nil }
        return name.description
    }
}
