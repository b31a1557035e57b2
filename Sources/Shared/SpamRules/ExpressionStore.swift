import Synchronization
import Unix

/// The compiled expressions of a plan, each made when it is first needed, for all scorers.
final class ExpressionStore: Sendable {
    private struct State: Sendable {
        var plain: [PerlPattern?]
        /// As machine code, of those that are run often.
        var fast: [PerlPattern?]
        var errors: [Int: PerlRegexError] = [:]
        /// Compiled elsewhere, with a checksum for each.
        var stored: (common: [UInt8], rests: StoredTexts, checksums: [Int32])?

        func read(_ rule: Int) -> PerlPattern? {
            guard let stored, !stored.rests.isEmpty(rule) else { return nil }
            let bytes = stored.common + stored.rests[rule]
            return RulePlan.checksum(bytes) == stored.checksums[rule] ? PerlPattern(reading: bytes) : nil
        }
    }

    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(State(plain: Array(repeating: nil, count: count), fast: Array(repeating: nil, count: count)))
    }

    /// What cannot be compiled, by rule.
    var errors: [Int: PerlRegexError] { state.withLock { $0.errors } }

    /// Nil when it cannot be compiled.
    func pattern(of rule: Int, _ plan: RulePlan, isFast: Bool) -> PerlPattern? {
        state.withLock { state in
            if let known = isFast ? state.fast[rule] : state.plain[rule] { return known }
            guard state.errors[rule] == nil else { return nil }
            do throws(PerlRegexError) {
                let plain: PerlPattern
                if let known = state.plain[rule] {
                    plain = known
                } else if let read = state.read(rule) {
                    plain = read
                } else {
                    plain = try ExpressionStore.compiled(rule, plan)
                }
                if !isFast {
                    state.plain[rule] = plain
                    return plain
                }
                // Nobody needs the other one from now on but those who have it.
                let fast = plain.fast
                state.fast[rule] = fast
                state.plain[rule] = nil
                return fast
            } catch {
                state.errors[rule] = error
                return nil
            }
        }
    }

    private static func compiled(_ rule: Int, _ plan: RulePlan) throws(PerlRegexError) -> PerlPattern {
        let options = PerlRegex.Options(rawValue: UInt32(bitPattern: plan.options[rule]))
        return try PerlPattern(plan.patterns[rule], options, isFast: false)
    }

    /// Takes expressions that were compiled elsewhere: what all begin with, what follows by rule, the checksum of each.
    func adopt(_ common: [UInt8], _ rests: StoredTexts, _ checksums: [Int32]) {
        state.withLock { $0.stored = (common, rests, checksums) }
    }
}
