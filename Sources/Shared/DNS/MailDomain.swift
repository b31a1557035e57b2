import Bytes
import Unix

/// Why a text names no place that mail goes to.
package struct MailDomainError: Error, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Where a mail address points to: a domain, or an address literal (RFC 5321 4.1.2, 4.1.3).
package enum MailDomain: Hashable, Sendable {
    case name(DomainName)
    case literal(IPAddress)

    /// Reads `example.org`, `user@example.org`, `[192.0.2.1]`, `[IPv6:2001:db8::1]` and names in other scripts.
    package init(_ text: String) throws(MailDomainError) {
        var domain = text
        if domain.hasPrefix("<"), domain.hasSuffix(">"), domain.utf8.count > 1 {
            domain = String(domain.dropFirst().dropLast())
        }
        if let at = domain.utf8.lastIndex(of: ASCII.at) { domain = String(domain[domain.utf8.index(after: at)...]) }
        if domain.hasPrefix("[") {
            self = .literal(try MailDomain.literal(domain))
        } else {
            self = .name(try MailDomain.name(domain))
        }
    }

    private static func literal(_ text: String) throws(MailDomainError) -> IPAddress {
        guard text.hasSuffix("]") else { throw MailDomainError("the address literal does not end with ]") }
        let inner = String(text.dropFirst().dropLast())
        if inner.utf8.prefix(5).equalsIgnoringCase("IPv6:") {
            if let address = IPAddress(String(inner.dropFirst(5))), address.isIPv6, address.scope == 0 {
                return address
            }
        } else if let address = IPAddress(inner) {
            if !address.isIPv6 { return address }
            throw MailDomainError("write it as [IPv6:\(inner)]")
        }
        throw MailDomainError("\(inner.isEmpty ? "an empty literal" : inner) is not an address")
    }

    private static func name(_ text: String) throws(MailDomainError) -> DomainName {
        if text.isEmpty { throw MailDomainError("it is empty") }
        if let address = IPAddress(text) {
            throw MailDomainError("it is an address: write [\(address.isIPv6 ? "IPv6:" : "")\(text)]")
        }
        let name: DomainName
        do {
            name = try DomainName(try InternationalName.ascii(text))
        } catch let error as DomainNameError {
            throw MailDomainError(error.description)
        } catch let error as InternationalNameError {
            throw MailDomainError(error.description)
        } catch {
            throw MailDomainError("\(error)")
        }
        try check(name)
        return name
    }

    /// Letters, digits and dashes, as RFC 5321 4.1.2 wants them; the underscore that some domains use is let pass.
    private static func check(_ name: DomainName) throws(MailDomainError) {
        let wire = name.wire
        if name.isRoot { throw MailDomainError("it is the root") }
        var index = 0
        var isNumber = false
        while index < wire.count, wire[index] > 0 {
            let label = (index + 1)..<min(index + 1 + Int(wire[index]), wire.count)
            isNumber = true
            for place in label {
                let byte = wire[place]
                guard byte.isASCIIAlphanumeric || byte == ASCII.dash || byte == ASCII.underscore else {
                    throw MailDomainError("it holds a character that no domain has")
                }
                if !byte.isASCIIDigit { isNumber = false }
            }
            if wire[label.lowerBound] == ASCII.dash || wire[label.upperBound - 1] == ASCII.dash {
                throw MailDomainError("a label begins or ends with a dash")
            }
            index = label.upperBound
        }
        if isNumber { throw MailDomainError("the last label is a number") }
    }

    /// The name in ASCII, or the literal in brackets.
    package var ascii: String {
        switch self {
        case .name(let name): name.description
        case .literal(let address): address.isIPv6 ? "[IPv6:\(address)]" : "[\(address)]"
        }
    }
}
