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
            if let domain = MessageAuthors.plainDomain(bytes, field.content) {
                if !domains.contains(domain) { domains.append(domain) }
                continue
            }
            let value = MessageAuthors.unfolded(bytes, field.content)
            for address in AddressList.parse(value).addresses {
                guard let text = address.address, let domain = MessageAuthors.domain(of: text) else { continue }
                if !domains.contains(domain) { domains.append(domain) }
            }
        }
        fieldCount = count
        self.domains = domains
    }

    /// The domain of a field in the form that most have, `local@domain` or `words <local@domain>` in one line, without
    /// comments, groups, routes and escapes; nil for any other, which is to be read in full.
    private static func plainDomain(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, bytes[start].isSpaceOrTab { start += 1 }
        while end > start, bytes[end - 1].isSpaceOrTab { end -= 1 }
        guard end - start > 2, end - start < 512 else { return nil }
        if bytes[end - 1] == ASCII.greater {
            guard let less = bytes.firstIndex(of: ASCII.less, in: start..<end), isPlainPhrase(bytes, start..<less)
            else { return nil }
            start = less + 1
            end -= 1
        }
        guard let at = bytes.firstIndex(of: ASCII.at, in: start..<end), isDotAtom(bytes, start..<at) else { return nil }
        var labelStart = at + 1
        for place in labelStart..<end {
            if bytes[place] == ASCII.dot {
                guard place > labelStart, place - labelStart <= 63 else { return nil }
                labelStart = place + 1
            } else if !bytes[place].isASCIIAlphanumeric, bytes[place] != ASCII.dash {
                return nil
            }
        }
        guard labelStart < end, end - labelStart <= 63, end - at <= 254 else { return nil }
        return bytes.array((at + 1)..<end).text.asciiLowercased
    }

    /// Words, quoted without escapes or not at all.
    private static func isPlainPhrase(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var isQuoted = false
        for place in range {
            let byte = bytes[place]
            if byte == ASCII.quote {
                isQuoted.toggle()
            } else if byte < ASCII.space && byte != ASCII.tab || byte >= ASCII.delete || byte == ASCII.backslash {
                return false
            } else if !isQuoted, !byte.isSpaceOrTab, byte != ASCII.dot, !isAtomText(byte) {
                return false
            }
        }
        return !isQuoted
    }

    private static func isDotAtom(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var isAfterDot = true
        for place in range {
            if bytes[place] == ASCII.dot {
                if isAfterDot { return false }
                isAfterDot = true
            } else if isAtomText(bytes[place]) {
                isAfterDot = false
            } else {
                return false
            }
        }
        return !isAfterDot
    }

    /// RFC 5322 3.2.3, atext.
    private static func isAtomText(_ byte: UInt8) -> Bool {
        if byte.isASCIIAlphanumeric { return true }
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2F, 0x3D, 0x3F, 0x5E...0x60, 0x7B...0x7E: return true
        default: return false
        }
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
