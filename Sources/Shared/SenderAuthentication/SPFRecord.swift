import Bytes
import Unix

/// An SPF record (RFC 7208 4.5, 4.6, 12): its directives in order, `redirect` and `exp`.
package struct SPFRecord: Equatable, Sendable {
    /// What a client that matches gets.
    package enum Qualifier: UInt8, Sendable {
        case pass = 0x2B  // +
        case fail = 0x2D  // -
        case softfail = 0x7E  // ~
        case neutral = 0x3F  // ?

        package var result: SPFResult {
            switch self {
            case .pass: .pass
            case .fail: .fail
            case .softfail: .softfail
            case .neutral: .neutral
            }
        }
    }

    /// How many bits of an address count.
    package struct Prefix: Equatable, Sendable {
        var ipv4 = 32
        var ipv6 = 128
    }

    package enum Mechanism: Equatable, Sendable {
        case all
        case include(SPFMacroString)
        /// The domain is that of the record when it is nil; so for `mx` and `ptr`.
        case a(SPFMacroString?, Prefix)
        case mx(SPFMacroString?, Prefix)
        case ptr(SPFMacroString?)
        case ip(IPAddress, bits: Int)
        case exists(SPFMacroString)

        /// Whether it counts towards the ten terms that query the DNS (RFC 7208 4.6.4).
        package var queries: Bool {
            switch self {
            case .all, .ip: false
            default: true
            }
        }
    }

    package struct Directive: Equatable, Sendable {
        package let qualifier: Qualifier
        package let mechanism: Mechanism
        /// As it is written.
        package let text: String
    }

    /// The whole record, as it is written.
    package let text: String
    package private(set) var directives: [Directive] = []
    package private(set) var redirect: SPFMacroString?
    /// As it is written, `redirect=` included.
    package private(set) var redirectText: String?
    package private(set) var explanation: SPFMacroString?

    // MARK: Selecting

    /// What the TXT records of a name say (RFC 7208 4.5).
    package enum Selection: Equatable, Sendable {
        case none
        case record([UInt8])
        /// More than one record, which is an error.
        case several([[UInt8]])
    }

    /// Picks the record out of TXT records, each with its strings joined.
    package static func select(_ texts: some Sequence<[UInt8]>) -> Selection {
        let records = texts.filter(isRecord)
        switch records.count {
        case 0: return .none
        case 1: return .record(records[0])
        default: return .several(records)
        }
    }

    /// Whether a text is an SPF record: `v=spf1` in any case, and a space or the end after it.
    package static func isRecord(_ text: [UInt8]) -> Bool {
        text.prefix(6).equalsIgnoringCase("v=spf1") && (text.count == 6 || text[6] == ASCII.space)
    }

    // MARK: Parsing

    /// Reads a whole record; nothing of it holds when one term is wrong (RFC 7208 4.6).
    package init(parsing text: [UInt8]) throws(SPFSyntaxError) {
        self.text = spfText(text)
        guard SPFRecord.isRecord(text) else { throw SPFSyntaxError(text.prefix(64), "does not begin with v=spf1") }
        for term in text.dropFirst(6).split(separator: ASCII.space) { try add(term) }
    }

    private mutating func add(_ term: ArraySlice<UInt8>) throws(SPFSyntaxError) {
        guard term.allSatisfy({ $0 > ASCII.space && $0 < ASCII.delete }) else {
            throw SPFSyntaxError(term, "holds a character outside of ASCII, or a control character")
        }
        let nameEnd = term.firstIndex { !SPFRecord.isNameCharacter($0) } ?? term.endIndex
        if nameEnd < term.endIndex, term[nameEnd] == ASCII.equals {
            try addModifier(term, term[..<nameEnd], term[(nameEnd + 1)...])
            return
        }
        var rest = term
        var qualifier = Qualifier.pass
        if let first = rest.first, let given = Qualifier(rawValue: first) {
            qualifier = given
            rest = rest.dropFirst()
        }
        let mechanism: Mechanism
        do throws(SPFSyntaxError) {
            mechanism = try SPFRecord.mechanism(rest)
        } catch {
            throw SPFSyntaxError(term, error.problem)
        }
        directives.append(Directive(qualifier: qualifier, mechanism: mechanism, text: spfText(term)))
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.dash || byte == ASCII.underscore || byte == ASCII.dot
    }

    private mutating func addModifier(
        _ term: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>
    ) throws(SPFSyntaxError) {
        guard name.first?.isASCIILetter == true else { throw SPFSyntaxError(term, "is neither mechanism nor modifier") }
        do throws(SPFSyntaxError) {
            if name.equalsIgnoringCase("redirect") {
                guard redirect == nil else { throw SPFSyntaxError(term, "stands more than once") }
                redirect = try SPFMacroString(value, .domain)
                redirectText = spfText(term)
            } else if name.equalsIgnoringCase("exp") {
                guard explanation == nil else { throw SPFSyntaxError(term, "stands more than once") }
                explanation = try SPFMacroString(value, .domain)
            } else {
                _ = try SPFMacroString(value, .modifier)
            }
        } catch {
            throw SPFSyntaxError(term, error.problem)
        }
    }

    private static func mechanism(_ term: ArraySlice<UInt8>) throws(SPFSyntaxError) -> Mechanism {
        let nameEnd = term.firstIndex { $0 == ASCII.colon || $0 == ASCII.slash } ?? term.endIndex
        let name = term[..<nameEnd]
        let rest = term[nameEnd...]
        func domain() throws(SPFSyntaxError) -> SPFMacroString {
            guard rest.first == ASCII.colon else { throw SPFSyntaxError(term, "needs a domain after a colon") }
            return try SPFMacroString(rest.dropFirst(), .domain)
        }
        func host() throws(SPFSyntaxError) -> (SPFMacroString?, Prefix) {
            let (text, prefix) = try SPFRecord.prefix(rest)
            if text.isEmpty { return (nil, prefix) }
            guard text.first == ASCII.colon else { throw SPFSyntaxError(term, "the prefix length is not valid") }
            return (try SPFMacroString(text.dropFirst(), .domain), prefix)
        }
        switch name.text.asciiLowercased {
        case "all":
            guard rest.isEmpty else { throw SPFSyntaxError(term, "takes no value") }
            return .all
        case "include": return .include(try domain())
        case "exists": return .exists(try domain())
        case "a":
            let (domain, prefix) = try host()
            return .a(domain, prefix)
        case "mx":
            let (domain, prefix) = try host()
            return .mx(domain, prefix)
        case "ptr": return .ptr(rest.isEmpty ? nil : try domain())
        case "ip4": return try network(term, rest, isIPv6: false)
        case "ip6": return try network(term, rest, isIPv6: true)
        default: throw SPFSyntaxError(term, "is neither mechanism nor modifier")
        }
    }

    /// Cuts `/24`, `//64` or `/24//64` from the end.
    private static func prefix(
        _ text: ArraySlice<UInt8>
    ) throws(SPFSyntaxError) -> (ArraySlice<UInt8>, Prefix) {
        var text = text
        var prefix = Prefix()
        func digits() -> ArraySlice<UInt8> { text.suffix(while: \.isASCIIDigit) }
        var found = digits()
        if text.dropLast(found.count).suffix(2).elementsEqual([ASCII.slash, ASCII.slash]) {
            prefix.ipv6 = try length(found, 128)
            text = text.dropLast(found.count + 2)
            found = digits()
        }
        if text.dropLast(found.count).last == ASCII.slash {
            prefix.ipv4 = try length(found, 32)
            text = text.dropLast(found.count + 1)
        }
        return (text, prefix)
    }

    private static func length(_ digits: ArraySlice<UInt8>, _ limit: Int) throws(SPFSyntaxError) -> Int {
        guard !digits.isEmpty, digits.count <= 3, digits.count == 1 || digits.first != ASCII.zero,
            let number = Int(digits.text), number <= limit
        else { throw SPFSyntaxError(digits, "the prefix length is not valid") }
        return number
    }

    private static func network(
        _ term: ArraySlice<UInt8>, _ rest: ArraySlice<UInt8>, isIPv6: Bool
    ) throws(SPFSyntaxError) -> Mechanism {
        guard rest.first == ASCII.colon else { throw SPFSyntaxError(term, "needs an address after a colon") }
        var text = rest.dropFirst()
        var bits = isIPv6 ? 128 : 32
        if let slash = text.firstIndex(of: ASCII.slash) {
            bits = try length(text[(slash + 1)...], bits)
            text = text[..<slash]
        }
        guard !text.contains(ASCII.percent), let address = IPAddress(text.text), address.isIPv6 == isIPv6 else {
            throw SPFSyntaxError(term, "is not an address")
        }
        return .ip(address, bits: bits)
    }
}

extension ArraySlice<UInt8> {
    fileprivate func suffix(while predicate: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        var start = endIndex
        while start > startIndex, predicate(self[start - 1]) { start -= 1 }
        return self[start...]
    }
}

extension IPAddress {
    /// Whether the first `bits` of both are equal; addresses of two families never are.
    func matches(_ network: IPAddress, bits: Int) -> Bool {
        guard bytes.count == network.bytes.count, bits >= 0, bits <= bytes.count * 8 else { return false }
        let whole = bits / 8
        for index in 0..<whole where bytes[index] != network.bytes[index] { return false }
        let rest = bits % 8
        if rest == 0 { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return bytes[whole] & mask == network.bytes[whole] & mask
    }
}
