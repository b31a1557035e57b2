import Bytes
import DNS
import OpenSSL
import Unix

/// What was found out about who sent a message.
package struct SenderReport: Sendable {
    /// Nil when the client is not known, or SPF was not asked for.
    package let spf: SPFOutcome?
    /// One result a signature, in the order of the fields.
    package let dkim: [DKIMResult]
    package let arc: ARCOutcome
    package let dmarc: DMARCOutcome
    package let authors: MessageAuthors
}

/// Verifies who sent messages: SPF, DKIM, ARC and DMARC in one call. One verifier serves many messages at a time, and
/// keeps decoded keys and parsed records.
package final class SenderVerifier: Sendable {
    package struct Options: Sendable {
        package var algorithm = DMARCAlgorithm.rfc9989
        /// Signatures with `l=` that leave a part of the body unsigned do not align.
        package var refusesUnsignedBody = false
        /// The moment that signatures are judged by, seconds since 1970; nil for this one.
        package var time: Int?
        /// The whole of one verification takes no longer.
        package var timeLimit = Duration.seconds(20)

        package init() {}
    }

    package let resolver: Resolver
    private let options: Options
    private let keys: DKIMKeys
    private let evaluator: SPFEvaluator
    private let discovery: DMARCDiscovery

    package init(_ resolver: Resolver, _ options: Options = Options()) {
        self.resolver = resolver
        self.options = options
        keys = DKIMKeys(resolver)
        evaluator = SPFEvaluator(resolver)
        discovery = DMARCDiscovery(options.algorithm)
    }

    private var verification: DKIMVerification {
        DKIMVerification(
            keys: keys, clock: options.time.map { SignatureClock.at($0) } ?? .now(SystemClock.now.seconds))
    }

    /// Verifies a message when nothing needs to be asked for: its keys and policies are known, and neither SPF nor ARC has
    /// a part in it. Nil when `verify` is to be called.
    package func verifyAtOnce(_ message: SignedMessage, client: SPFRequest?) -> SenderReport? {
        guard client == nil, message.chain.count == 0,
            let results = verification.verifyAtOnce(message.signatures)
        else { return nil }
        do throws(KnownAnswers.Missing) {
            let dmarc = try evaluate(message.authors, spf: nil, results, KnownAnswers(resolver))
            let arc = ARCOutcome(verdict: .none, instances: 0, reason: nil, sealer: nil)
            return SenderReport(spf: nil, dkim: results, arc: arc, dmarc: dmarc, authors: message.authors)
        } catch {
            return nil
        }
    }

    private func evaluate(
        _ authors: MessageAuthors, spf: SPFOutcome?, _ dkim: [DKIMResult], _ known: KnownAnswers
    ) throws(KnownAnswers.Missing) -> DMARCOutcome {
        let evaluation = DMARCEvaluation(
            discovery: discovery, known: known, refusesUnsignedBody: options.refusesUnsignedBody)
        return try evaluation.evaluate(authors, spf: spf, dkim: dkim)
    }

    /// Verifies a message. `client` is what SPF is asked; nil leaves SPF out.
    package func verify(_ message: SignedMessage, client: SPFRequest?) async -> SenderReport {
        if let report = verifyAtOnce(message, client: client) { return report }
        let deadline = Deadline.after(options.timeLimit)
        let verification = self.verification
        let validation = ARCValidation(verification: verification)
        async let spf = spf(client, deadline)
        async let arc = validation.validate(message.chain, deadline: deadline)
        let dkim = await verification.verify(message.signatures, deadline: deadline)
        let found = await spf
        let dmarc = await KnownAnswers.resolve(resolver, deadline) { known throws(KnownAnswers.Missing) in
            try self.evaluate(message.authors, spf: found, dkim, known)
        }
        return SenderReport(spf: found, dkim: dkim, arc: await arc, dmarc: dmarc, authors: message.authors)
    }

    /// Verifies the bytes of a message, which begin with its first header field.
    package func verify(_ bytes: [UInt8], client: SPFRequest?) async throws(OpenSSLError) -> SenderReport {
        await verify(try SignedMessage(bytes.span), client: client)
    }

    /// Checks the client alone, as before the message has come.
    package func checkClient(_ client: SPFRequest) async -> SPFOutcome {
        let instant = ContinuousClock.now + options.timeLimit
        return await evaluator.check(client, deadline: instant)
    }

    private func spf(_ client: SPFRequest?, _ deadline: Deadline) async -> SPFOutcome? {
        guard let client else { return nil }
        let evaluator = self.evaluator
        if let outcome = await deadline.race({ await evaluator.check(client, deadline: deadline.instant) }) {
            return outcome
        }
        return SPFOutcome(timeout: client)
    }
}
