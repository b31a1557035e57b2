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
        let considered = select()
        let collector = HeaderCollector(header)
        for index in signatures.indices {
            signatures[index].isConsidered = considered.contains(index)
            guard considered.contains(index) else { continue }
            signatures[index].headerHash = try collector.hash(signatures[index].signature, at: places[index], bytes)
        }
        try chain.hashHeaders(header, collector, bytes)
        try hashBodies(considered, bytes, header.bodyStart..<bytes.count, release)
    }

    /// The signatures to verify: those that can be, the author's own domains first.
    private func select() -> Set<Int> {
        let usable = signatures.indices.filter { signatures[$0].signature.problem == nil }
        let isOwn = usable.map { index in
            authors.domains.contains { author in
                let domain = signatures[index].signature.domain
                return DKIMSignature.isWithin(author, domain) || DKIMSignature.isWithin(domain, author)
            }
        }
        let own = zip(usable, isOwn).filter(\.1).map(\.0)
        let others = zip(usable, isOwn).filter { !$0.1 }.map(\.0)
        return Set((own + others).prefix(SignedMessage.signatureLimit))
    }

    // MARK: Bodies

    /// Bytes that are read before they are released.
    private static let step = 1 << 20

    /// Hashes the body once for each form that is asked for, all forms side by side.
    private mutating func hashBodies(
        _ considered: Set<Int>, _ bytes: Span<UInt8>, _ body: Range<Int>, _ release: ((Int) -> Void)?
    ) throws(OpenSSLError) {
        let wanted: [DKIMSignature] = considered.map { signatures[$0].signature } + chain.bodySignatures
        var hashers: [BodyHasher] = []
        for form in [Canonicalization.simple, .relaxed] {
            var limits: [Int?] = []
            for signature in wanted where signature.bodyForm == form && !limits.contains(signature.length) {
                limits.append(signature.length)
            }
            if !limits.isEmpty { hashers.append(try BodyHasher(form, limits: limits, bytes, body: body)) }
        }
        guard !hashers.isEmpty else { return }
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
            for index in considered {
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
    private var buffer: [UInt8] = []

    init(_ header: SignedHeader) { self.header = header }

    /// The hash that a signature at a place in the header signs (RFC 6376 3.7): the fields of `h=`, each name from the
    /// bottom up, then the signature itself.
    func hash(_ signature: DKIMSignature, at place: Int, _ bytes: Span<UInt8>) throws(OpenSSLError) -> [UInt8] {
        buffer.removeAll(keepingCapacity: true)
        collect(signature.names, signature.headerForm, omitting: place, bytes)
        append(signature, at: place, signature.headerForm, bytes)
        return try Digest.hash(.sha256, buffer)
    }

    /// The fields of `h=` alone, each name from the bottom up, as a signature that is to be made signs them.
    func text(_ names: [[UInt8]], _ form: Canonicalization, _ bytes: Span<UInt8>) -> [UInt8] {
        buffer.removeAll(keepingCapacity: true)
        collect(names, form, omitting: -1, bytes)
        return buffer
    }

    /// Appends a signature's own field.
    private func append(_ signature: DKIMSignature, at place: Int, _ form: Canonicalization, _ bytes: Span<UInt8>) {
        let field = header.fields[place]
        let start = field.colon + 1
        let value = signature.signatureRange
        buffer.append(
            signature: field, form, bytes, omitting: (start + value.lowerBound)..<(start + value.upperBound))
    }

    /// Appends the fields of `h=`. The field at `omitted` never counts as one of them.
    private func collect(_ names: [[UInt8]], _ form: Canonicalization, omitting omitted: Int, _ bytes: Span<UInt8>) {
        // How far up each name has been looked for.
        var cursors: [(key: UInt64, name: [UInt8], place: Int)] = []
        for name in names {
            let key = SignedField.key(name)
            let known = cursors.firstIndex { $0.key == key && $0.name == name }
            var place = known.map { cursors[$0].place } ?? header.fields.count
            while place > 0 {
                place -= 1
                let field = header.fields[place]
                if place != omitted, field.key == key, field.isNamed(name, bytes) {
                    buffer.append(field, form, bytes)
                    break
                }
            }
            // Once the top was reached, the name stands for nothing (RFC 6376 5.4.2).
            if let known {
                cursors[known].place = place
            } else {
                cursors.append((key, name, place))
            }
        }
    }

    /// The hash that a seal signs (RFC 8617 5.1.1): the sets up to its own, each as results, signature, seal.
    func sealHash(
        _ seal: DKIMSignature, at place: Int, before fields: [Int], _ bytes: Span<UInt8>
    ) throws(OpenSSLError) -> [UInt8] {
        buffer.removeAll(keepingCapacity: true)
        for field in fields { buffer.append(header.fields[field], .relaxed, bytes) }
        append(seal, at: place, .relaxed, bytes)
        return try Digest.hash(.sha256, buffer)
    }
}
