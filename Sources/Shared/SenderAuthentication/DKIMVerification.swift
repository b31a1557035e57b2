import Bytes
import OpenSSL

/// Judges signatures with keys from the DNS (RFC 6376 6.1).
struct DKIMVerification: Sendable {
    let keys: DKIMKeys
    let clock: SignatureClock

    /// RFC 8301 3.2.
    static let leastBits = 1_024
    static let goodBits = 2_048

    /// The results of all signatures in their order, their keys fetched at the same time. Seals sign no body.
    func verify(
        _ all: [SignedMessage.Evidence], signsBody: Bool = true, deadline: Deadline
    ) async -> [DKIMResult] {
        let lookups = await keys.lookUp(Set(all.filter(\.isHashed).map(\.place)), deadline)
        return all.map { evidence in verify(evidence, lookups[evidence.place], signsBody) }
    }

    /// The same when all keys are known; nil when some are to be asked for.
    func verifyAtOnce(_ all: [SignedMessage.Evidence]) -> [DKIMResult]? {
        var results: [DKIMResult] = []
        results.reserveCapacity(all.count)
        for evidence in all {
            let lookup = evidence.isHashed ? keys.known(evidence.place) : nil
            if lookup == nil, evidence.isHashed { return nil }
            results.append(verify(evidence, lookup, true))
        }
        return results
    }

    private func verify(_ evidence: SignedMessage.Evidence, _ keys: DKIMKeys.Lookup?, _ signsBody: Bool) -> DKIMResult {
        var result = DKIMResult(evidence.signature)
        if let problem = evidence.signature.problem {
            result.reason = problem
            return result
        }
        guard evidence.isConsidered, let keys else {
            result.verdict = .neutral
            result.reason = "not verified: the message has more than \(SignedMessage.signatureLimit) signatures"
            return result
        }
        if signsBody { judgeBody(evidence, &result) }
        judgeSignature(evidence, keys, &result)
        if result.verdict == .pass { judge(evidence, &result) }
        return result
    }

    private func judgeBody(_ evidence: SignedMessage.Evidence, _ result: inout DKIMResult) {
        let signature = evidence.signature
        if let length = signature.length {
            if length > evidence.bodyCount {
                result.bodyHashAgrees = false
                return
            }
            if length < evidence.bodyCount { result.findings.append(.unsignedBody) }
        }
        result.bodyHashAgrees = evidence.bodyHash == signature.bodyHash
    }

    /// What is to be said of a signature that is good by itself.
    private func judge(_ evidence: SignedMessage.Evidence, _ result: inout DKIMResult) {
        let signature = evidence.signature
        if result.bodyHashAgrees == false {
            result.verdict = .fail
            if let length = signature.length, length > evidence.bodyCount {
                result.reason = "the body is shorter than l= says: \(evidence.bodyCount) bytes, not \(length)"
            } else {
                result.reason = "the body was changed: its hash is not that of bh="
            }
        } else if let expiration = signature.expiration, clock.isPast(expiration) {
            result.verdict = .fail
            result.isExpired = true
            result.reason = "the signature has expired"
        } else if let timestamp = signature.timestamp, clock.isFuture(timestamp) {
            result.verdict = .fail
            result.reason = "the signature is from the future: t= is \(timestamp)"
        } else if result.verdict == .pass, let bits = result.keyBits, signature.algorithm == .rsaSHA256 {
            if bits < DKIMVerification.leastBits {
                result.verdict = .policy
                result.reason = "the key has \(bits) bits: less than 1024 is no protection (RFC 8301)"
            } else if bits < DKIMVerification.goodBits {
                result.findings.append(.weakKey)
            }
        }
    }

    // MARK: Keys

    /// Compares the signature with the header's hash, by each of the keys.
    private func judgeSignature(
        _ evidence: SignedMessage.Evidence, _ found: DKIMKeys.Lookup, _ result: inout DKIMResult
    ) {
        let signature = evidence.signature
        if let expiration = signature.expiration, clock.isPast(expiration) { result.isExpired = true }
        switch found {
        case .temperror(let reason):
            result.verdict = .temperror
            result.reason = reason
        case .missing(let reason): result.reason = reason
        case .keys(let candidates, let count):
            if count > 1 { result.findings.append(.severalKeys) }
            for candidate in candidates {
                attempt(candidate, evidence, &result)
                if result.verdict == .pass { return }
            }
        }
    }

    /// Tries one key; an earlier verdict stays when this one says less.
    private func attempt(
        _ candidate: Result<DKIMKey, DKIMKeyRecordError>, _ evidence: SignedMessage.Evidence,
        _ result: inout DKIMResult
    ) {
        let key: DKIMKey
        do throws(DKIMKeyRecordError) {
            key = try candidate.get()
        } catch {
            if result.reason == nil { result.reason = "the key record cannot be used: \(error)" }
            return
        }
        result.isTesting = result.isTesting || key.record.isTesting
        if let objection = objection(key, evidence.signature) {
            if result.verdict != .fail { result.reason = objection }
            return
        }
        guard let publicKey = key.publicKey else { return }
        result.keyBits = publicKey.bits
        let isGood = (try? publicKey.verify(evidence.signature.signature, ofDigest: evidence.headerHash)) ?? false
        result.signatureAgrees = isGood
        result.verdict = isGood ? .pass : .fail
        result.reason = isGood ? nil : "the signature does not fit the header: a signed field was changed, or the key"
    }

    /// Why a key may not be used for a signature (RFC 6376 6.1.2).
    private func objection(_ key: DKIMKey, _ signature: DKIMSignature) -> String? {
        let record = key.record
        if record.isRevoked { return "the key was revoked" }
        guard record.kind == signature.algorithm?.keyKind else {
            return "the key is of another kind than a=\(signature.algorithmName ?? "")"
        }
        if let hashes = record.hashes, !hashes.contains("sha256") { return "the key is not for sha256 (h=)" }
        if !record.servesMail { return "the key is not for mail (s=)" }
        if record.isStrict, !signature.identity.isEmpty {
            let at = signature.identity.utf8.lastIndex(of: ASCII.at)
            let domain = at.map { signature.identity[signature.identity.utf8.index(after: $0)...] } ?? ""
            if !signature.domain.equalsIgnoringCase(domain) { return "the key wants i= to be of d= itself (t=s)" }
        }
        return nil
    }
}
