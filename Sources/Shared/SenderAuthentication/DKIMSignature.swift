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
/// Reading never fails: what is wrong stands in `problem`, and the rest is told as far as it can be. Copies share what was
/// read.
package struct DKIMSignature: Sendable {
    /// Which field it is, for each has its own tags.
    enum Kind: Sendable {
        case dkim, arcMessage, arcSeal
    }

    private final class Storage: Sendable {
        let fields: DKIMSignatureFields
        init(_ fields: DKIMSignatureFields) { self.fields = fields }
    }

    private let storage: Storage
    private var fields: DKIMSignatureFields { storage.fields }

    init(_ content: [UInt8], _ kind: Kind) { storage = Storage(DKIMSignatureFields(content, kind)) }

    private init(_ fields: DKIMSignatureFields) { storage = Storage(fields) }

    /// Why it can never be verified; nil when it can.
    package var problem: String? { storage.fields.problem }
    package var algorithm: DKIMAlgorithm? { storage.fields.algorithm }
    /// `a=` as it is written.
    package var algorithmName: String? { storage.fields.algorithmName }
    package var domain: String { storage.fields.domain }
    package var selector: String { storage.fields.selector }
    /// `i=`, or `@` and the domain.
    package var identity: String { storage.fields.identity }
    package var headerForm: Canonicalization { storage.fields.headerForm }
    package var bodyForm: Canonicalization { storage.fields.bodyForm }
    /// `l=`: how much of the canonical body is signed; nil for all.
    package var length: Int? { storage.fields.length }
    /// `t=` and `x=`, seconds since 1970.
    package var timestamp: Int? { storage.fields.timestamp }
    package var expiration: Int? { storage.fields.expiration }
    /// `b=` as it is written, without white space.
    package var encodedSignature: [UInt8] { storage.fields.encodedSignature }
    /// `i=` of ARC.
    package var instance: Int? { storage.fields.instance }
    /// `cv=` of a seal.
    var chainValidation: String? { storage.fields.chainValidation }
    var signature: [UInt8] { storage.fields.signature }
    var bodyHash: [UInt8] { storage.fields.bodyHash }
    /// `h=`
    var names: SignedNames { storage.fields.names }
    /// The value of `b=` with the white space around it: a range of the field's content.
    var signatureRange: Range<Int> { storage.fields.signatureRange }

    /// The signature in the forms that it may be meant in: without `c=` also as relaxed/relaxed.
    var readings: [DKIMSignature] { [self] + (fields.asRelaxed.map { [DKIMSignature($0)] } ?? []) }

    /// Whether a domain is another one or below it.
    static func isWithin(_ domain: String, _ parent: String) -> Bool {
        let left = domain.utf8
        let right = parent.utf8
        guard left.count >= right.count else { return false }
        var place = left.endIndex
        for byte in right.reversed() {
            place = left.index(before: place)
            if left[place].asciiLowercased != byte.asciiLowercased { return false }
        }
        return place == left.startIndex || left[left.index(before: place)] == ASCII.dot
    }
}

/// What the tags of a signature say, as they are read one after another.
private struct DKIMSignatureFields: Sendable {
    /// Why it can never be verified; nil when it can.
    private(set) var problem: String?
    private(set) var algorithm: DKIMAlgorithm?
    /// `a=` as it is written.
    private(set) var algorithmName: String?
    private(set) var domain = ""
    private(set) var selector = ""
    /// `i=`, or `@` and the domain.
    private(set) var identity = ""
    private(set) var headerForm = Canonicalization.simple
    private(set) var bodyForm = Canonicalization.simple
    private var namesForms = false
    /// `l=`: how much of the canonical body is signed; nil for all.
    private(set) var length: Int?
    /// `t=` and `x=`, seconds since 1970.
    private(set) var timestamp: Int?
    private(set) var expiration: Int?
    /// `b=` as it is written, without white space.
    var encodedSignature: [UInt8] { TagList.compact(content, encodedRange) }
    private var encodedRange = 0..<0
    /// What the ranges are of.
    private let content: [UInt8]
    /// `i=` of ARC.
    private(set) var instance: Int?
    /// `cv=` of a seal.
    private(set) var chainValidation: String?
    private(set) var signature: [UInt8] = []
    private(set) var bodyHash: [UInt8] = []
    /// `h=`
    private(set) var names = SignedNames()
    /// The value of `b=` with the white space around it: a range of the field's content.
    private(set) var signatureRange = 0..<0

    /// More names than this are no signature's.
    private static let nameLimit = 256

    private struct Flaw: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    init(_ content: [UInt8], _ kind: DKIMSignature.Kind) {
        self.content = content
        do throws(Flaw) {
            let tags = try Self.tags(content)
            // What a report names comes first, so that it is told even of a signature that is wrong.
            domain = tags.text("d") ?? ""
            selector = tags.text("s") ?? ""
            identity = kind == .dkim ? tags.text("i") ?? "@\(domain)" : ""
            algorithmName = tags.text("a")
            encodedRange = tags.range("b") ?? 0..<0
            if let forms = tags.range("c").flatMap({ Self.forms(tags, $0) }) { (headerForm, bodyForm) = forms }
            timestamp = try Self.number(tags, "t")
            try readAlgorithm(tags)
            try readNames(tags)
            try readSignature(tags)
            if kind == .dkim { try readDKIM(tags) } else { try readARC(tags, kind) }
            if kind != .arcSeal { try readMessageTags(tags, kind) }
        } catch {
            problem = error.text
        }
    }

    /// The same as relaxed/relaxed, when `c=` does not say what it is.
    var asRelaxed: DKIMSignatureFields? {
        if namesForms { return nil }
        var relaxed = self
        relaxed.headerForm = .relaxed
        relaxed.bodyForm = .relaxed
        return relaxed
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
        guard let range = tags.range("a") else { throw Flaw("a= is missing") }
        if tags.hasValue(range, "rsa-sha256") {
            algorithm = .rsaSHA256
        } else if tags.hasValue(range, "ed25519-sha256") {
            algorithm = .ed25519SHA256
        } else {
            let name = (algorithmName ?? "").asciiLowercased
            throw Flaw(
                name == "rsa-sha1" ? "rsa-sha1 must not be used (RFC 8301)" : "a=\(spfText(name.utf8)) is not known")
        }
    }

    private mutating func readNames(_ tags: TagList) throws(Flaw) {
        guard !domain.isEmpty else { throw Flaw("d= is missing") }
        guard !selector.isEmpty else { throw Flaw("s= is missing") }
        guard Self.isDomain(domain) else { throw Flaw("d= is not a domain") }
        guard Self.isDomain(selector) else { throw Flaw("s= is not a selector") }
    }

    private static func isDomain(_ text: String) -> Bool {
        // What is ASCII throughout needs no more than a look.
        if let isPlain = isPlainDomain(text) { return isPlain }
        guard let ascii = try? InternationalName.ascii(text), !ascii.hasSuffix("."), let name = try? DomainName(ascii),
            !name.isRoot
        else { return false }
        return name.labels.allSatisfy { label in
            label.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        }
    }

    /// Whether labels of letters, digits, hyphens and underscores make up a name; nil when there is more than ASCII.
    private static func isPlainDomain(_ text: String) -> Bool? {
        var text = text
        return text.withUTF8 { bytes -> Bool? in
            var labelStart = 0
            var isGood = !bytes.isEmpty && bytes.count <= 253
            for place in 0..<bytes.count {
                let byte = bytes[place]
                if byte >= 0x80 { return nil }
                if byte == UInt8(ascii: ".") {
                    if place == labelStart || place - labelStart > 63 { isGood = false }
                    labelStart = place + 1
                } else if !byte.isASCIIAlphanumeric, byte != UInt8(ascii: "-"), byte != UInt8(ascii: "_") {
                    isGood = false
                }
            }
            return isGood && labelStart < bytes.count && bytes.count - labelStart <= 63
        }
    }

    private mutating func readSignature(_ tags: TagList) throws(Flaw) {
        guard let range = tags.range("b") else { throw Flaw("b= is missing") }
        guard let decoded = DKIMBase64.decode(tags.bytes, in: range), !decoded.isEmpty else {
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
        guard let version = tags.range("v") else { throw Flaw("v= is missing") }
        guard tags.hasValue(version, "1") else { throw Flaw("v= is not 1") }
        if let methods = tags.list("q"), !methods.contains(where: { $0.equalsIgnoringCase("dns/txt") }) {
            throw Flaw("q= does not name dns/txt")
        }
        if tags.range("i") != nil {
            guard let at = identity.utf8.lastIndex(of: ASCII.at) else { throw Flaw("i= has no @") }
            let identityDomain = String(identity[identity.utf8.index(after: at)...])
            guard DKIMSignature.isWithin(identityDomain, domain) else { throw Flaw("i= is outside of d=") }
        }
        expiration = try Self.number(tags, "x")
        if let timestamp, let expiration, expiration <= timestamp { throw Flaw("x= is not after t=") }
    }

    private mutating func readARC(_ tags: TagList, _ kind: DKIMSignature.Kind) throws(Flaw) {
        instance = try Self.number(tags, "i")
        guard let instance, 1...ARCChain.limit ~= instance else { throw Flaw("i= is not an instance") }
        guard kind == .arcSeal else { return }
        chainValidation = tags.text("cv")?.asciiLowercased
        guard let chainValidation, ["none", "pass", "fail"].contains(chainValidation) else {
            throw Flaw("cv= is not none, pass or fail")
        }
        guard tags.range("h") == nil else { throw Flaw("a seal has no h=") }
    }

    /// The tags of a signature over a message: `c=`, `h=`, `bh=`, `l=`.
    private mutating func readMessageTags(_ tags: TagList, _ kind: DKIMSignature.Kind) throws(Flaw) {
        if let forms = tags.range("c") {
            namesForms = true
            guard Self.forms(tags, forms) != nil else { throw Flaw("c= is not known") }
        }
        guard let list = tags.range("h") else { throw Flaw("h= is missing") }
        guard let names = SignedNames(tags.bytes, in: list, limit: Self.nameLimit) else {
            throw Flaw("h= names too many fields, or what is no field name")
        }
        guard kind == .arcMessage || names.contains("from") else {
            throw Flaw("h= does not name From: it must be signed")
        }
        self.names = names
        guard let encoded = tags.range("bh") else { throw Flaw("bh= is missing") }
        guard let hash = DKIMBase64.decode(tags.bytes, in: encoded), !hash.isEmpty else {
            throw Flaw("bh= is not base64")
        }
        bodyHash = hash
        length = try Self.number(tags, "l")
    }

    /// `c=`: the form of the header, and after a slash that of the body, which is simple when it is not said.
    private static func forms(_ tags: TagList, _ range: Range<Int>) -> (Canonicalization, Canonicalization)? {
        if tags.hasValue(range, "relaxed/relaxed") { return (.relaxed, .relaxed) }
        if tags.hasValue(range, "relaxed/simple") || tags.hasValue(range, "relaxed") { return (.relaxed, .simple) }
        if tags.hasValue(range, "simple/relaxed") { return (.simple, .relaxed) }
        return tags.hasValue(range, "simple/simple") || tags.hasValue(range, "simple") ? (.simple, .simple) : nil
    }
}
