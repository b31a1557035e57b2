import Bytes
import OpenSSL

/// What verification needs of a message, taken from its bytes in one pass: its authors, its signatures with the hashes
/// of what they sign, its ARC sets. The bytes are not needed again.
package struct SignedMessage: Sendable {
    /// A signature and the hashes that it is to be compared with.
    struct Evidence: Sendable {
        let signature: DKIMSignature
        /// SHA-256 of the canonical header; empty when the signature is not looked at.
        var headerHash: [UInt8] = []
        /// SHA-256 of the canonical body, as much of it as `l=` says; empty when there is none to compare.
        var bodyHash: [UInt8] = []
        /// Bytes of the canonical body.
        var bodyCount = 0
        /// False for signatures beyond the limit.
        var isConsidered = true

        /// Whether it is looked at.
        var isHashed: Bool { isConsidered && signature.problem == nil }
        /// Where its key stands.
        var place: DKIMKeys.Place { DKIMKeys.Place(selector: signature.selector, domain: signature.domain) }
    }

    package let authors: MessageAuthors
    /// The client and the sender that the header tells of; nil when they were not asked for, or it does not.
    package let storedClient: SPFRequest?
    private(set) var signatures: [Evidence] = []
    private(set) var chain: ARCChain

    /// At most so many signatures are verified; those of the author's domain come first.
    package static let signatureLimit = 20

    /// Takes a message that begins with its first header field, on request with what `StoredEnvelope` finds. After each
    /// part that was read, `release` is told how far: a mapped file need not stay in memory.
    package init(
        _ bytes: Span<UInt8>, readsEnvelope: Bool = false, release: ((Int) -> Void)? = nil
    ) throws(OpenSSLError) {
        let header = SignedHeader(bytes)
        storedClient = readsEnvelope ? StoredEnvelope.client(header, bytes) : nil
        authors = MessageAuthors(header, bytes)
        chain = ARCChain(header, bytes)
        let key = SignedField.key("dkim-signature".utf8)
        var places: [Int] = []
        for (place, field) in header.fields.enumerated()
        where field.key == key && field.isNamed("dkim-signature".utf8, bytes) {
            signatures.append(Evidence(signature: DKIMSignature(bytes.array(field.content), .dkim)))
            places.append(place)
        }
        select()
        let collector = HeaderCollector(header)
        for index in signatures.indices where signatures[index].isHashed {
            signatures[index].headerHash = try collector.hash(signatures[index].signature, at: places[index], bytes)
        }
        try chain.hashHeaders(header, collector, bytes)
        try hashBodies(bytes, header.bodyStart..<bytes.count, release)
    }

    /// Picks the signatures to verify: those that can be, the author's own domains first.
    private mutating func select() {
        let usable = signatures.indices.filter { signatures[$0].signature.problem == nil }
        var left = SignedMessage.signatureLimit
        if usable.count <= left { return }
        for index in signatures.indices { signatures[index].isConsidered = false }
        let own = usable.filter { index in
            authors.domains.contains { author in
                let domain = signatures[index].signature.domain
                return DKIMSignature.isWithin(author, domain) || DKIMSignature.isWithin(domain, author)
            }
        }
        for index in own + usable where left > 0 && !signatures[index].isConsidered {
            signatures[index].isConsidered = true
            left -= 1
        }
    }

    // MARK: Bodies

    /// Bytes that are read before they are released.
    private static let step = 1 << 20

    /// Hashes the body once for each form that is asked for, all forms side by side.
    private mutating func hashBodies(
        _ bytes: Span<UInt8>, _ body: Range<Int>, _ release: ((Int) -> Void)?
    ) throws(OpenSSLError) {
        var wanted: [(form: Canonicalization, limits: [Int?])] = []
        func add(_ signature: DKIMSignature) {
            guard let index = wanted.firstIndex(where: { $0.form == signature.bodyForm }) else {
                wanted.append((signature.bodyForm, [signature.length]))
                return
            }
            if !wanted[index].limits.contains(signature.length) { wanted[index].limits.append(signature.length) }
        }
        for evidence in signatures where evidence.isHashed { add(evidence.signature) }
        for signature in chain.bodySignatures { add(signature) }
        if wanted.isEmpty { return }
        var hashers: [BodyHasher] = []
        for (form, limits) in wanted { hashers.append(try BodyHasher(form, limits: limits, bytes, body: body)) }
        var place = body.lowerBound
        while place < body.upperBound {
            place = min(place + SignedMessage.step, body.upperBound)
            for hasher in hashers { hasher.advance(bytes, to: place) }
            release?(place)
        }
        for hasher in hashers {
            let (hashes, count) = hasher.finish(bytes)
            func hash(_ signature: DKIMSignature) -> [UInt8]? {
                guard signature.bodyForm == hasher.form else { return nil }
                return hashes.first { $0.limit == signature.length }?.hash
            }
            for index in signatures.indices where signatures[index].isHashed {
                guard let found = hash(signatures[index].signature) else { continue }
                signatures[index].bodyHash = found
                signatures[index].bodyCount = count
            }
            chain.setBodies(count, hash)
        }
    }
}

/// Brings the header fields that a signature names into canonical form and hashes them.
final class HeaderCollector {
    private let header: SignedHeader
    private var text = HeaderText()

    init(_ header: SignedHeader) { self.header = header }

    /// The hash that a signature at a place in the header signs (RFC 6376 3.7): the fields of `h=`, each name from the
    /// bottom up, then the signature itself.
    func hash(_ signature: DKIMSignature, at place: Int, _ bytes: Span<UInt8>) throws(OpenSSLError) -> [UInt8] {
        text.removeAll()
        collect(signature.names, signature.headerForm, omitting: place, bytes)
        append(signature, at: place, signature.headerForm, bytes)
        return try text.hash()
    }

    /// The fields of `h=` alone, each name from the bottom up, as a signature that is to be made signs them.
    func text(_ names: SignedNames, _ form: Canonicalization, _ bytes: Span<UInt8>) -> HeaderText {
        text.removeAll()
        collect(names, form, omitting: -1, bytes)
        return text
    }

    /// Appends a signature's own field.
    private func append(_ signature: DKIMSignature, at place: Int, _ form: Canonicalization, _ bytes: Span<UInt8>) {
        let field = header.fields[place]
        let start = field.colon + 1
        let value = signature.signatureRange
        text.append(
            signature: field, form, bytes, omitting: (start + value.lowerBound)..<(start + value.upperBound))
    }

    /// Appends the fields of `h=`. The field at `omitted` never counts as one of them.
    private func collect(_ names: SignedNames, _ form: Canonicalization, omitting omitted: Int, _ bytes: Span<UInt8>) {
        // How far up each name has been looked for.
        var cursors: [(name: SignedNames.Name, place: Int)] = []
        cursors.reserveCapacity(names.names.count)
        let words = names.bytes
        let span = words.span
        for name in names.names {
            var known: Int?
            for index in cursors.indices
            where cursors[index].name.key == name.key && Self.isSame(cursors[index].name, name, span) {
                known = index
                break
            }
            var place = known.map { cursors[$0].place } ?? header.fields.count
            while place > 0 {
                place -= 1
                if header.fields[place].key == name.key, place != omitted,
                    header.fields[place].isNamed(span, name.range, bytes)
                {
                    text.append(header.fields[place], form, bytes)
                    break
                }
            }
            // Once the top was reached, the name stands for nothing (RFC 6376 5.4.2).
            if let known { cursors[known].place = place } else { cursors.append((name, place)) }
        }
    }

    private static func isSame(_ left: SignedNames.Name, _ right: SignedNames.Name, _ bytes: Span<UInt8>) -> Bool {
        guard left.range.count == right.range.count else { return false }
        for offset in 0..<left.range.count
        where bytes[left.range.lowerBound + offset].asciiLowercased
            != bytes[right.range.lowerBound + offset].asciiLowercased
        {
            return false
        }
        return true
    }

    /// The hash that a seal signs (RFC 8617 5.1.1): the sets up to its own, each as results, signature, seal.
    func sealHash(
        _ seal: DKIMSignature, at place: Int, before fields: [Int], _ bytes: Span<UInt8>
    ) throws(OpenSSLError) -> [UInt8] {
        text.removeAll()
        for field in fields { text.append(header.fields[field], .relaxed, bytes) }
        append(seal, at: place, .relaxed, bytes)
        return try text.hash()
    }
}
