import Bytes

/// What a domain wants done with mail that fails DMARC (RFC 9989 4.7).
package enum DMARCPolicy: String, Sendable {
    case none, quarantine, reject

    init?(_ value: some Sequence<UInt8>) {
        self.init(rawValue: value.text.asciiLowercased)
    }

    /// One step down, as `t=y` asks.
    var weakened: DMARCPolicy { self == .reject ? .quarantine : .none }
}

/// A DMARC policy record, the TXT record at `_dmarc.domain` (RFC 9989 4.7).
package struct DMARCRecord: Equatable, Sendable {
    package enum PublicSuffix: String, Sendable {
        case yes = "y"
        case no = "n"
        case unknown = "u"
    }

    /// The record as it is written.
    package let text: String
    /// `p=`; none when it is missing or not valid and there is a `rua`, nil when there is none either: no policy then.
    package private(set) var policy: DMARCPolicy?
    /// `sp=`, for subdomains; nil when not given.
    package private(set) var subdomainPolicy: DMARCPolicy?
    /// `np=`, for subdomains that do not exist; nil when not given.
    package private(set) var nonexistentPolicy: DMARCPolicy?
    /// `psd=`.
    package private(set) var publicSuffix = PublicSuffix.unknown
    /// `t=y`: the policy is one step weaker than it says.
    package private(set) var isTesting = false
    package private(set) var hasStrictDKIM = false
    package private(set) var hasStrictSPF = false
    /// `rua=`: where aggregate reports go.
    package private(set) var aggregateReports: [String] = []
    /// `ruf=`: where failure reports go.
    package private(set) var failureReports: [String] = []
    /// `pct=` of RFC 7489; RFC 9989 has removed it.
    package private(set) var percentage: Int?
    /// What is wrong with the record though it is one: `p=x: not a policy`.
    package private(set) var problems: [String] = []
    /// Tags that RFC 9989 has removed: `pct`, `rf`, `ri`.
    package private(set) var removedTags: [String] = []
    /// Tags that DMARC does not know.
    package private(set) var unknownTags: [String] = []

    /// Whether a text is a DMARC record: it begins with `v=DMARC1`, exact, with white space around the equals sign.
    package static func isRecord(_ text: [UInt8]) -> Bool { afterVersion(text) != nil }

    /// What follows `v=DMARC1`; nil when a text does not begin with it.
    private static func afterVersion(_ text: [UInt8]) -> ArraySlice<UInt8>? {
        var rest = text.drop(while: \.isSpaceOrTab)
        guard rest.first == UInt8(ascii: "v") else { return nil }
        rest = rest.dropFirst().drop(while: \.isSpaceOrTab)
        guard rest.first == ASCII.equals else { return nil }
        rest = rest.dropFirst().drop(while: \.isSpaceOrTab)
        guard rest.starts(with: "DMARC1".utf8) else { return nil }
        rest = rest.dropFirst(6).drop(while: \.isSpaceOrTab)
        return rest.isEmpty || rest.first == ASCII.semicolon ? rest : nil
    }

    /// Reads a record, its strings joined; nil when it is none. What is wrong in it is as if it were not there.
    package init?(parsing text: [UInt8]) {
        guard let rest = DMARCRecord.afterVersion(text) else { return nil }
        self.text = spfText(text)
        var seen: Set<String> = []
        var hasBadPolicy = false
        for part in rest.split(separator: ASCII.semicolon) {
            let pair = part.split(separator: ASCII.equals, maxSplits: 1, omittingEmptySubsequences: false)
            let name = DMARCRecord.trimmed(pair[0]).text.asciiLowercased
            guard pair.count == 2 else {
                if !name.isEmpty { problems.append("\(spfText(name.utf8)): is not a tag with a value") }
                continue
            }
            guard seen.insert(name).inserted else {
                problems.append("\(spfText(name.utf8)): stands more than once, the first one counts")
                continue
            }
            if !read(name, DMARCRecord.trimmed(pair[1])) { hasBadPolicy = true }
        }
        // RFC 9989 4.10.1: without a valid policy, a record that asks for reports is taken for p=none.
        if policy == nil || hasBadPolicy {
            if policy == nil, !hasBadPolicy { problems.append("p: is missing") }
            policy = aggregateReports.isEmpty ? nil : DMARCPolicy.none
            subdomainPolicy = nil
            nonexistentPolicy = nil
        }
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop(while: \.isMailWhitespace)
        while text.last?.isMailWhitespace == true { text = text.dropLast() }
        return text
    }

    /// Takes one tag; false when it is a policy that is none.
    private mutating func read(_ name: String, _ value: ArraySlice<UInt8>) -> Bool {
        func mode() -> Bool {
            let word = value.text.asciiLowercased
            if word != "r", word != "s" { problems.append("\(name)=\(spfText(value)): is neither r nor s, r counts") }
            return word == "s"
        }
        switch name {
        case "p", "sp", "np":
            guard let policy = DMARCPolicy(value) else {
                problems.append("\(name)=\(spfText(value)): is not none, quarantine or reject")
                return false
            }
            if name == "p" {
                self.policy = policy
            } else if name == "sp" {
                subdomainPolicy = policy
            } else {
                nonexistentPolicy = policy
            }
        case "adkim": hasStrictDKIM = mode()
        case "aspf": hasStrictSPF = mode()
        case "psd":
            publicSuffix = PublicSuffix(rawValue: value.text.asciiLowercased) ?? .unknown
            if !["y", "n", "u"].contains(value.text.asciiLowercased) {
                problems.append("psd=\(spfText(value)): is not y, n or u")
            }
        case "t":
            isTesting = value.elementsEqual("y".utf8) || value.elementsEqual("Y".utf8)
            if !["y", "n"].contains(value.text.asciiLowercased) {
                problems.append("t=\(spfText(value)): is neither y nor n")
            }
        case "rua", "ruf": readAddresses(name, value)
        case "fo": break
        case "pct", "rf", "ri":
            removedTags.append(name)
            if name == "pct" { percentage = Int(value.text).flatMap { 0...100 ~= $0 ? $0 : nil } }
        default: unknownTags.append(spfText(name.utf8))
        }
        return true
    }

    /// A list of URIs; those that are none are left out.
    private mutating func readAddresses(_ name: String, _ value: ArraySlice<UInt8>) {
        var uris: [String] = []
        for part in value.split(separator: ASCII.comma) {
            let uri = DMARCRecord.trimmed(part)
            if DMARCRecord.isReportURI(uri) {
                uris.append(spfText(uri))
            } else {
                problems.append("\(name): \(spfText(uri)) is not a URI that reports can go to")
            }
        }
        if name == "rua" { aggregateReports = uris } else { failureReports = uris }
    }

    /// `scheme:` and something behind it (RFC 3986 3.1); of `mailto` an address.
    private static func isReportURI(_ text: ArraySlice<UInt8>) -> Bool {
        guard let colon = text.firstIndex(of: ASCII.colon), text.first?.isASCIILetter == true,
            text[..<colon].allSatisfy({ $0.isASCIIAlphanumeric || [ASCII.plus, ASCII.dash, ASCII.dot].contains($0) })
        else { return false }
        let rest = text[(colon + 1)...]
        guard !rest.isEmpty, rest.allSatisfy({ $0 > ASCII.space && $0 < ASCII.delete }) else { return false }
        return !text[..<colon].equalsIgnoringCase("mailto")
            || rest.split(separator: ASCII.at, omittingEmptySubsequences: false).count == 2
                && rest.first != ASCII.at && rest.last != ASCII.at
    }
}
