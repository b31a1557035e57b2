import Synchronization

/// What is known of users across their sessions: how many are open, and when the last login was.
final class UserLedger: Sendable {
    private struct State {
        var sessions: [String: Int] = [:]
        var logins: [String: ContinuousClock.Instant] = [:]
    }

    enum Refusal: Error, Equatable {
        case tooMany
        case tooSoon
    }

    private let state = Mutex(State())
    private let maximumSessions: Int
    private let loginDelay: Duration
    private static let sweepSize = 10_000

    init(maximumSessions: Int, loginDelay: Duration) {
        self.maximumSessions = maximumSessions
        self.loginDelay = loginDelay
    }

    /// Lets a session of `user` in, who has proved to be that; `leave` ends it.
    func enter(_ user: String) throws(Refusal) {
        let refusal = state.withLock { state -> Refusal? in
            if state.sessions[user, default: 0] >= maximumSessions { return .tooMany }
            if loginDelay > .zero, let last = state.logins[user], .now - last < loginDelay { return .tooSoon }
            state.sessions[user, default: 0] += 1
            return nil
        }
        if let refusal { throw refusal }
    }

    /// The session that has entered has its mailbox: the delay until the next login runs from now on.
    func noteLogin(_ user: String) {
        guard loginDelay > .zero else { return }
        let (now, delay) = (ContinuousClock.now, loginDelay)
        state.withLock { state in
            if state.logins.count >= Self.sweepSize { state.logins = state.logins.filter { now - $0.value < delay } }
            state.logins[user] = now
        }
    }

    func leave(_ user: String) {
        state.withLock { state in
            guard let count = state.sessions[user] else { return }
            state.sessions[user] = count > 1 ? count - 1 : nil
        }
    }
}
