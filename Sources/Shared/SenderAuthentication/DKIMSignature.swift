import Bytes
import DNS
import OpenSSL

/// The algorithms that may be used (RFC 8301, RFC 8463).
package enum DKIMAlgorithm: String, Sendable {
    case rsaSHA256 = "rsa-sha256"
    case ed25519SHA256 = "ed25519-sha256"

    package var keyKind: KeyKind { self == .rsaSHA256 ? .rsa : .ed25519 }
}

/// A signature as its field tells it (RFC 6376 3.5; RFC 8617 4.1 for those of ARC).
///
/// Reading never fails: what is wrong stands in `problem`, and the rest is told as far as it can be.
package struct DKIMSignature: Sendable {
    /// Which field it is, for each has its own tags.
    enum Kind: Sendable {
        case dkim, arcMessage, arcSeal
    }

    /// Why it can never be verified; nil when it can.
    package private(set) var problem: String?
    package private(set) var algorithm: DKIMAlgorithm?
    /// `a=` as it is written.
    package private(set) var algorithmName: String?
    package private(set) var domain = ""
    package private(set) var selector = ""
    /// `i=`, or `@` and the domain.
    package private(set) var identity = ""
    package private(set) var headerForm = Canonicalization.simple
    package private(set) var bodyForm = Canonicalization.simple
    private var namesForms = false
    /// `l=`: how much of the canonical body is signed; nil for all.
    package private(set) var length: Int?
    /// `t=` and `x=`, seconds since 1970.
    package private(set) var timestamp: Int?
    package private(set) var expiration: Int?
    /// `b=` as it is written, without white space.
    package private(set) var encodedSignature: [UInt8] = []
    /// `i=` of ARC.
    package private(set) var instance: Int?
    /// `cv=` of a seal.
    private(set) var chainValidation: String?
    private(set) var signature: [UInt8] = []
    private(set) var bodyHash: [UInt8] = []
    /// `h=`, the names in lower case.
    private(set) var names: [[UInt8]] = []
    /// The value of `b=` with the white space around it: a range of the field's content.
    private(set) var signatureRange = 0..<0

    /// More names than this are no signature's.
    private static let nameLimit = 256

    private struct Flaw: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    init(_ content: [UInt8], _ kind: Kind) {
        do throws(Flaw) {
            let tags = try DKIMSignature.tags(content)
            // What a report names comes first, so that it is told even of a signature that is wrong.
            domain = tags.text("d") ?? ""
            selector = tags.text("s") ?? ""
            identity = kind == .dkim ? tags.text("i") ?? "@\(domain)" : ""
            algorithmName = tags.text("a")
            encodedSignature = tags.compact("b") ?? []
            timestamp = try DKIMSignature.number(tags, "t")
            try readAlgorithm(tags)
            try readNames(tags)
            try readSignature(tags)
            if kind == .dkim { try readDKIM(tags) } else { try readARC(tags, kind) }
            if kind != .arcSeal { try readMessageTags(tags, kind) }
        } catch {
            problem = error.text
        }
    }

    /// The signature in the forms that it may be meant in: without `c=` also as relaxed/relaxed.
    var readings: [DKIMSignature] {
        if namesForms { return [self] }
        var relaxed = self
        relaxed.headerForm = .relaxed
        relaxed.bodyForm = .relaxed
        return [self, relaxed]
    }

    private static func tags(_ content: [UInt8]) throws(Flaw) -> TagList {
        do throws(TagListError) {
            return try TagList(content)
        } catch {
            throw Flaw("the field is not a tag-list: \(error)")
        }
    }

    /// Digits only; a number that is too large is as large as can be.
    private static func number(_ tags: TagList, _ name: StaticString) throws(Flaw) -> Int? {
        guard let digits = tags[name] else { return nil }
        guard !digits.isEmpty, digits.count <= 76, digits.allSatisfy(\.isASCIIDigit) else {
            throw Flaw("\(name)= is not a number")
        }
        return Int(digits.text) ?? .max
    }

    private mutating func readAlgorithm(_ tags: TagList) throws(Flaw) {
        guard let name = algorithmName?.asciiLowercased else { throw Flaw("a= is missing") }
        guard let known = DKIMAlgorithm(rawValue: name) else {
            throw Flaw(
                name == "rsa-sha1" ? "rsa-sha1 must not be used (RFC 8301)" : "a=\(spfText(name.utf8)) is not known")
        }
        algorithm = known
    }

    private mutating func readNames(_ tags: TagList) throws(Flaw) {
        guard !domain.isEmpty else { throw Flaw("d= is missing") }
        guard !selector.isEmpty else { throw Flaw("s= is missing") }
        guard DKIMSignature.isDomain(domain) else { throw Flaw("d= is not a domain") }
        guard DKIMSignature.isDomain(selector) else { throw Flaw("s= is not a selector") }
    }

    private static func isDomain(_ text: String) -> Bool {
        guard let ascii = try? InternationalName.ascii(text), !ascii.hasSuffix("."), let name = try? DomainName(ascii),
            !name.isRoot
        else { return false }
        return name.labels.allSatisfy { label in
            label.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        }
    }

    private mutating func readSignature(_ tags: TagList) throws(Flaw) {
        guard let range = tags.range("b") else { throw Flaw("b= is missing") }
        guard !encodedSignature.isEmpty, let decoded = DKIMBase64.decode(encodedSignature) else {
            throw Flaw("b= is not base64")
        }
        signature = decoded
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower > 0, tags.bytes[lower - 1].isMailWhitespace { lower -= 1 }
        while upper < tags.bytes.count, tags.bytes[upper] != ASCII.semicolon { upper += 1 }
        signatureRange = lower..<upper
    }

    private mutating func readDKIM(_ tags: TagList) throws(Flaw) {
        guard let version = tags.text("v") else { throw Flaw("v= is missing") }
        guard version == "1" else { throw Flaw("v= is not 1") }
        if let methods = tags.list("q"), !methods.contains(where: { $0.equalsIgnoringCase("dns/txt") }) {
            throw Flaw("q= does not name dns/txt")
        }
        guard let at = identity.utf8.lastIndex(of: ASCII.at) else { throw Flaw("i= has no @") }
        let identityDomain = String(identity[identity.utf8.index(after: at)...])
        guard DKIMSignature.isWithin(identityDomain, domain) else { throw Flaw("i= is outside of d=") }
        expiration = try DKIMSignature.number(tags, "x")
        if let timestamp, let expiration, expiration <= timestamp { throw Flaw("x= is not after t=") }
    }

    /// Whether a domain is another one or below it.
    static func isWithin(_ domain: String, _ parent: String) -> Bool {
        let domain = domain.asciiLowercased
        let parent = parent.asciiLowercased
        return domain == parent || domain.hasSuffix("." + parent)
    }

    private mutating func readARC(_ tags: TagList, _ kind: Kind) throws(Flaw) {
        instance = try DKIMSignature.number(tags, "i")
        guard let instance, 1...ARCChain.limit ~= instance else { throw Flaw("i= is not an instance") }
        guard kind == .arcSeal else { return }
        chainValidation = tags.text("cv")?.asciiLowercased
        guard let chainValidation, ["none", "pass", "fail"].contains(chainValidation) else {
            throw Flaw("cv= is not none, pass or fail")
        }
        guard tags.range("h") == nil else { throw Flaw("a seal has no h=") }
    }

    /// The tags of a signature over a message: `c=`, `h=`, `bh=`, `l=`.
    private mutating func readMessageTags(_ tags: TagList, _ kind: Kind) throws(Flaw) {
        if let forms = tags["c"] {
            namesForms = true
            let parts = forms.split(separator: ASCII.slash, omittingEmptySubsequences: false)
                .map { Canonicalization(rawValue: $0.text.asciiLowercased) }
            guard parts.count <= 2, let header = parts[0], let body = parts.count == 2 ? parts[1] : .simple else {
                throw Flaw("c= is not known")
            }
            headerForm = header
            bodyForm = body
        }
        guard let list = tags.list("h") else { throw Flaw("h= is missing") }
        guard list.count <= DKIMSignature.nameLimit else { throw Flaw("h= names too many fields") }
        // A name that is empty names nothing.
        names = list.filter { !$0.isEmpty }.map { $0.map(\.asciiLowercased) }
        guard kind == .arcMessage || names.contains(where: { $0.elementsEqual("from".utf8) }) else {
            throw Flaw("h= does not name From: it must be signed")
        }
        guard names.allSatisfy({ name in name.allSatisfy { 0x21...0x7E ~= $0 } }) else {
            throw Flaw("h= holds what is no field name")
        }
        guard let encoded = tags.compact("bh") else { throw Flaw("bh= is missing") }
        guard !encoded.isEmpty, let hash = DKIMBase64.decode(encoded) else { throw Flaw("bh= is not base64") }
        bodyHash = hash
        length = try DKIMSignature.number(tags, "l")
    }
}
