import Synchronization
import Unix

/// The compiled expressions of a plan, each made when it is first needed, for all scorers.
final class ExpressionStore: Sendable {
    private struct State: Sendable {
        var plain: [PerlPattern?]
        /// As machine code, of those that are run often.
        var fast: [PerlPattern?]
        var errors: [Int: PerlRegexError] = [:]
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
                let options = PerlRegex.Options(rawValue: UInt32(bitPattern: plan.options[rule]))
                let made = try PerlPattern(Array(plan.patterns[rule]), options, isFast: isFast)
                if isFast { state.fast[rule] = made } else { state.plain[rule] = made }
                return made
            } catch {
                state.errors[rule] = error
                return nil
            }
        }
    }
}
