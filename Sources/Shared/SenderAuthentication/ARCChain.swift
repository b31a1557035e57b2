import Bytes
import OpenSSL

/// The ARC sets of a message (RFC 8617 4), as far as its bytes tell.
struct ARCChain: Sendable {
    /// More instances are an error (RFC 8617 4.2.1).
    static let limit = 50

    /// One set: places of its three fields in the header.
    struct Instance: Sendable {
        var results: Int?
        var signature: Int?
        var seal: Int?
        /// A second field of a kind.
        var hasRepeats = false
    }

    /// The sets in the order of their instances.
    private(set) var instances: [Instance] = []
    /// Why the chain can never be valid; nil when it may be.
    private(set) var problem: String?
    /// The newest signature. Without `c=` it stands twice: as RFC 6376 3.5 has it, simple/simple, and relaxed/relaxed, as
    /// the sealers in use take it.
    private(set) var newest: [SignedMessage.Evidence] = []
    /// The seals, oldest first.
    private(set) var seals: [SignedMessage.Evidence] = []
    private var newestPlace = 0
    private var parsedSeals: [DKIMSignature] = []
    /// The highest instance that any field names; 0 without ARC.
    private(set) var count = 0

    /// What is to be hashed of the body.
    var bodySignatures: [DKIMSignature] { problem == nil ? newest.map(\.signature) : [] }
    /// What the newest seal says of the chain before it.
    var newestValidation: String? { parsedSeals.last?.chainValidation }

    /// More bytes of sets than this are no chain's: every seal signs those before it, which adds up.
    private static let sizeLimit = 1 << 20

    private static let names = ["arc-authentication-results", "arc-message-signature", "arc-seal"]
    private static let keys = names.map { SignedField.key($0.utf8) }

    init(_ header: SignedHeader, _ bytes: Span<UInt8>) {
        var sets: [Int: Instance] = [:]
        var size = 0
        for (place, field) in header.fields.enumerated() {
            guard let kind = ARCChain.keys.firstIndex(of: field.key), field.isNamed(ARCChain.names[kind].utf8, bytes)
            else { continue }
            guard let instance = ARCChain.instance(field, bytes), 1...ARCChain.limit ~= instance else {
                problem = problem ?? "an \(ARCChain.names[kind]) field has no valid instance"
                count = max(count, 1)
                continue
            }
            count = max(count, instance)
            size += field.contentEnd - field.start
            if size > ARCChain.sizeLimit { problem = problem ?? "the sets are too large" }
            var set = sets[instance] ?? Instance()
            switch kind {
            case 0:
                set.hasRepeats = set.hasRepeats || set.results != nil
                set.results = place
            case 1:
                set.hasRepeats = set.hasRepeats || set.signature != nil
                set.signature = place
            default:
                set.hasRepeats = set.hasRepeats || set.seal != nil
                set.seal = place
            }
            sets[instance] = set
        }
        guard count > 0, problem == nil else { return }
        instances = (1...count).map { sets[$0] ?? Instance() }
        read(header, bytes)
    }

    /// `i=` of a field: the first tag, or in a list of tags any one.
    private static func instance(_ field: SignedField, _ bytes: Span<UInt8>) -> Int? {
        for part in bytes.array(field.content).split(separator: ASCII.semicolon) {
            let pair = part.split(separator: ASCII.equals, maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, pair[0].filter({ !$0.isMailWhitespace }).elementsEqual("i".utf8) else { continue }
            let digits = pair[1].filter { !$0.isMailWhitespace }
            guard !digits.isEmpty, digits.count <= 3, digits.allSatisfy(\.isASCIIDigit) else { return nil }
            return Int(digits.text)
        }
        return nil
    }

    /// Reads the seals and the newest signature, and checks the structure (RFC 8617 5.2, steps 2 and 3).
    private mutating func read(_ header: SignedHeader, _ bytes: Span<UInt8>) {
        for (index, set) in instances.enumerated() {
            let number = index + 1
            guard set.results != nil, let signature = set.signature, let seal = set.seal, !set.hasRepeats else {
                problem = problem ?? "set \(number) is not complete, or has a field twice"
                continue
            }
            let parsedSeal = DKIMSignature(bytes.array(header.fields[seal].content), .arcSeal)
            let parsed = DKIMSignature(bytes.array(header.fields[signature].content), .arcMessage)
            parsedSeals.append(parsedSeal)
            if let flaw = parsedSeal.problem { problem = problem ?? "the seal of set \(number): \(flaw)" }
            if let flaw = parsed.problem { problem = problem ?? "the signature of set \(number): \(flaw)" }
            if parsed.names.contains("arc-seal") {
                problem = problem ?? "the signature of set \(number) signs a seal"
            }
            let wanted = number == 1 ? "none" : "pass"
            if parsedSeal.problem == nil, parsedSeal.chainValidation != wanted {
                problem =
                    problem ?? "the seal of set \(number) says cv=\(parsedSeal.chainValidation ?? ""), not \(wanted)"
            }
            if number == instances.count {
                newest = parsed.readings.map { SignedMessage.Evidence(signature: $0) }
                newestPlace = signature
            }
        }
    }

    /// Hashes what the newest signature and every seal sign.
    mutating func hashHeaders(
        _ header: SignedHeader, _ collector: HeaderCollector, _ bytes: Span<UInt8>
    ) throws(OpenSSLError) {
        guard problem == nil else { return }
        for index in newest.indices {
            newest[index].headerHash = try collector.hash(newest[index].signature, at: newestPlace, bytes)
        }
        var before: [Int] = []
        for (set, seal) in zip(instances, parsedSeals) {
            guard let results = set.results, let signature = set.signature, let place = set.seal else { return }
            before += [results, signature]
            var evidence = SignedMessage.Evidence(signature: seal)
            evidence.headerHash = try collector.sealHash(seal, at: place, before: before, bytes)
            seals.append(evidence)
            before.append(place)
        }
    }

    /// Takes the hashes of the body that `hash` knows for a signature.
    mutating func setBodies(_ count: Int, _ hash: (DKIMSignature) -> [UInt8]?) {
        for index in newest.indices {
            guard let found = hash(newest[index].signature) else { continue }
            newest[index].bodyHash = found
            newest[index].bodyCount = count
        }
    }
}
