/// What a message's ARC chain is worth (RFC 8617 5.2).
package struct ARCOutcome: Sendable {
    package enum Verdict: String, Sendable {
        case none, pass, fail, temperror
    }

    package let verdict: Verdict
    /// How many sets there are.
    package let instances: Int
    /// Why the chain does not pass.
    package let reason: String?
    /// The domain of the newest seal; nil without one.
    package let sealer: String?
}

/// Validates ARC chains.
struct ARCValidation: Sendable {
    let verification: DKIMVerification

    func validate(_ chain: ARCChain, deadline: Deadline) async -> ARCOutcome {
        func outcome(_ verdict: ARCOutcome.Verdict, _ reason: String? = nil) -> ARCOutcome {
            ARCOutcome(
                verdict: verdict, instances: chain.count, reason: reason, sealer: chain.seals.last?.signature.domain)
        }
        if chain.count == 0 { return outcome(.none) }
        if chain.newestValidation == "fail" { return outcome(.fail, "the newest seal says that the chain had failed") }
        if let problem = chain.problem { return outcome(.fail, problem) }
        let readings = await verification.verify(chain.newest, deadline: deadline)
        guard let newest = readings.first(where: { $0.verdict == .pass }) ?? readings.first else {
            return outcome(.fail, "there is no signature")
        }
        let results = [newest] + (await verification.verify(chain.seals, signsBody: false, deadline: deadline))
        var failures: [(DKIMResult, String)] = []
        for (number, result) in results.enumerated() where result.verdict != .pass {
            let what = number == 0 ? "the signature of set \(chain.count)" : "the seal of set \(number)"
            failures.append((result, "\(what): \(result.reason ?? "is not valid")"))
        }
        if let (_, reason) = failures.first(where: { $0.0.verdict != .temperror }) { return outcome(.fail, reason) }
        if let (_, reason) = failures.first { return outcome(.temperror, reason) }
        return outcome(.pass)
    }
}
