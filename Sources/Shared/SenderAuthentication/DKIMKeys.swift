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

    private let resolver: Resolver
    private let decoded = TextCache<Result<DKIMKey, DKIMKeyRecordError>>()
    /// So many records of one name are tried.
    private static let recordLimit = 3

    init(_ resolver: Resolver) { self.resolver = resolver }

    func lookup(selector: String, domain: String, deadline: Deadline) async -> Lookup {
        let text = "\(selector)._domainkey.\(domain)"
        guard let ascii = try? InternationalName.ascii(text), let name = try? DomainName(ascii) else {
            return .missing("\(text) is too long for a name")
        }
        guard let answer = await deadline.lookup(resolver, name, .txt) else {
            return .temperror("TXT of \(text) did not come in time")
        }
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
