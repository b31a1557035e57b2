import Bytes
import DNS
import OpenSSL

/// A key record and the key in it, decoded.
final class DKIMKey: Sendable {
    let record: DKIMKeyRecord
    /// Nil when the key was revoked.
    let publicKey: PublicKey?

    init(_ text: [UInt8]) throws(DKIMKeyRecordError) {
        record = try DKIMKeyRecord(parsing: text)
        guard !record.isRevoked else {
            publicKey = nil
            return
        }
        do throws(OpenSSLError) {
            publicKey = try PublicKey(record.key, kind: record.kind)
        } catch {
            throw DKIMKeyRecordError("p= is not a key: \(error)")
        }
    }
}

/// Finds keys in the DNS, and keeps what was decoded: a key costs more to decode than to use.
final class DKIMKeys: Sendable {
    enum Lookup: Sendable {
        /// At most three, in the order of the records; the number of records that try to be keys.
        case keys([Result<DKIMKey, DKIMKeyRecordError>], count: Int)
        case missing(String)
        case temperror(String)
    }

    /// Where a key stands.
    struct Place: Hashable, Sendable {
        let selector: String
        let domain: String

        var name: String { "\(selector)._domainkey.\(domain)" }
    }

    private let resolver: Resolver
    private let decoded = TextCache<Result<DKIMKey, DKIMKeyRecordError>>()
    private let found = LimitedCache<Place, Lookup>()
    /// So many records of one name are tried.
    private static let recordLimit = 3

    init(_ resolver: Resolver) { self.resolver = resolver }

    /// What is known of the keys at a place; nil when the DNS is to be asked first.
    func known(_ place: Place) -> Lookup? {
        if let lookup = found.value(place) { return lookup }
        guard let name = DKIMKeys.name(place) else { return .missing("\(place.name) is too long for a name") }
        guard let known = resolver.known(name, .txt) else { return nil }
        let lookup = lookup(known.answer, place)
        found.keep(lookup, place, known.lifetime)
        return lookup
    }

    /// The keys at several places, asked for at the same time.
    func lookUp(_ places: Set<Place>, _ deadline: Deadline) async -> [Place: Lookup] {
        var lookups: [Place: Lookup] = [:]
        var missing: [Place] = []
        for place in places {
            if let known = known(place) { lookups[place] = known } else { missing.append(place) }
        }
        if missing.isEmpty { return lookups }
        await withTaskGroup(of: (Place, Lookup).self) { group in
            for place in missing { group.addTask { (place, await self.lookUp(place, deadline)) } }
            for await (place, lookup) in group { lookups[place] = lookup }
        }
        return lookups
    }

    private func lookUp(_ place: Place, _ deadline: Deadline) async -> Lookup {
        guard let name = DKIMKeys.name(place), let answer = await deadline.lookup(resolver, name, .txt) else {
            return .temperror("TXT of \(place.name) did not come in time")
        }
        return known(place) ?? lookup(answer, place)
    }

    private static func name(_ place: Place) -> DomainName? {
        (try? InternationalName.ascii(place.name)).flatMap { try? DomainName($0) }
    }

    private func lookup(_ answer: Answer, _ place: Place) -> Lookup {
        let text = place.name
        switch answer.outcome {
        case .temporaryFailure(let failure): return .temperror("TXT of \(text): \(failure)")
        case .noSuchDomain: return .missing("there is no key: \(text) does not exist")
        case .noData: return .missing("there is no key: \(text) has no TXT record")
        case .records(let records):
            let texts = records.compactMap(\.data.joinedText)
            // One record is judged for what it is; among several, those that are no keys are dropped.
            let candidates = texts.count == 1 ? texts : texts.filter(DKIMKeyRecord.isCandidate)
            if candidates.isEmpty { return .missing("there is no key: the TXT records of \(text) are none") }
            return .keys(candidates.prefix(DKIMKeys.recordLimit).map(key), count: candidates.count)
        }
    }

    private func key(_ text: [UInt8]) -> Result<DKIMKey, DKIMKeyRecordError> {
        decoded.value(text) { text in Result { () throws(DKIMKeyRecordError) in try DKIMKey(text) } }
    }
}
