import Accounts
import CommandLineTool
import Network
import OpenSSL
import POP3
import SASL
import ServerTool
import Unix

// Logging in: USER and PASS, APOP, and the mechanisms of AUTH.
extension Conversation {
    /// Failures are counted by this.
    private var address: String { client.ip.map { "\($0)" } ?? "local" }

    mutating func logIn(_ user: String, _ proof: POP3Session.Proof) async {
        let mechanism = if case .apop = proof { "APOP" } else { "USER" }
        guard await mayAttempt(user, mechanism) else { return }
        let (settings, secrets, timestamp) = (settings, secrets, timestamp ?? "")
        // Judging and opening in one go: a way to another thread and back is a good part of a short session.
        let (verdict, admission) = await offload { () -> (SASLVerdict, Admission?) in
            let verdict =
                switch proof {
                case .password(let password): secrets.judge(user, password: password)
                case .apop(let digest): APOP.judge(user, digest: digest, timestamp: timestamp, secrets)
                }
            guard case .right(let authenticated) = verdict else { return (verdict, nil) }
            return (verdict, Conversation.admit(authenticated, settings))
        }
        switch verdict {
        case .right(let authenticated): await enter(authenticated, admission, mechanism)
        case .wrong: await refuse(.wrongCredentials, user, mechanism)
        case .unavailable(let reason):
            Diagnostics.say(reason)
            await refuse(.temporary, user, mechanism)
        }
    }

    // MARK: AUTH (RFC 5034)

    mutating func authenticate(_ mechanism: SASLMechanism, _ initialResponse: [UInt8]?) async {
        guard await mayAttempt(nil, mechanism.rawValue) else { return }
        let context = SASLServerContext(
            secrets: secrets, hostName: settings.hostName,
            channelBindings: mechanism.bindsChannel ? connection.channelBindings : [:],
            offersChannelBinding: connection.tls != nil)
        let exchange = SASLServerExchange(mechanism, context)
        let (advanced, step) = await offload { () -> (SASLServerExchange, SASLServerExchange.Step) in
            var exchange = exchange
            let step = exchange.begin(initialResponse: initialResponse)
            return (exchange, step)
        }
        await follow(advanced, step)
    }

    mutating func continueAuthentication(_ line: [UInt8]) async {
        guard let exchange else { return session.answerLogin(.failure(.cancelled)) }
        let (advanced, step) = await offload { () -> (SASLServerExchange, SASLServerExchange.Step) in
            var exchange = exchange
            let step = exchange.respond(line)
            return (exchange, step)
        }
        await follow(advanced, step)
    }

    private mutating func follow(_ advanced: SASLServerExchange, _ step: SASLServerExchange.Step) async {
        exchange = nil
        let mechanism = advanced.mechanism.rawValue
        switch step {
        case .challenge(let text):
            exchange = advanced
            session.challenge(text)
        case .success(let user): await open(user, mechanism)
        case .failure(let failure):
            let user = advanced.claimedUser
            switch failure {
            case .cancelled: await refuse(.cancelled, user, mechanism)
            case .badEncoding: await refuse(.malformed("this is no base64"), user, mechanism)
            case .malformed(let problem): await refuse(.malformed(problem), user, mechanism)
            case .wrongCredentials: await refuse(.wrongCredentials, user, mechanism)
            case .unavailable(let reason):
                Diagnostics.say(reason)
                await refuse(.temporary, user, mechanism)
            }
        }
    }

    // MARK: The outcome

    /// Waits for this attempt's turn; false when too many wait already, and that is answered.
    private mutating func mayAttempt(_ user: String?, _ mechanism: String) async -> Bool {
        guard let wait = settings.failures.beginAttempt(from: address) else {
            await refuse(.tooManyAttempts, user, mechanism)
            return false
        }
        if wait > .zero { try? await EventLoop.sleep(for: wait) }
        return true
    }

    private mutating func refuse(_ failure: POP3Session.LoginFailure, _ user: String?, _ mechanism: String) async {
        let text = Conversation.text(of: failure)
        if events.isOn {
            events.write("login-failed", client: client) {
                $0.field("user", user)
                $0.field("mechanism", mechanism)
                $0.field("reason", text)
            }
        }
        if failure == .wrongCredentials {
            try? await EventLoop.sleep(for: settings.failures.noteFailure(from: address, user: user))
        }
        session.answerLogin(.failure(failure))
    }

    private static func text(of failure: POP3Session.LoginFailure) -> String {
        switch failure {
        case .wrongCredentials: "wrong credentials"
        case .malformed(let problem): problem
        case .cancelled: "cancelled"
        case .inUse: "mailbox in use"
        case .tooSoon: "too soon after the last login"
        case .tooManyAttempts: "too many attempts"
        case .temporary: "temporary failure"
        case .permanent: "the mailbox cannot be opened"
        }
    }

    /// What came of opening the mailbox of a user who is who he says.
    private typealias Admission = Result<any MailStore, Refusal>

    private enum Refusal: Error {
        case ledger(UserLedger.Refusal)
        case store(MailStoreFailure)
    }

    /// Opens the mailbox of a user who is who he says. Blocks.
    private static func admit(_ user: AuthenticatedUser, _ settings: ServiceSettings) -> Admission {
        do throws(UserLedger.Refusal) {
            try settings.users.enter(user.name)
        } catch {
            return .failure(.ledger(error))
        }
        switch settings.open(user, rights(of: user)) {
        case .success(let store):
            settings.users.noteLogin(user.name)
            return .success(store)
        case .failure(let failure):
            settings.users.leave(user.name)
            return .failure(.store(failure))
        }
    }

    private static func rights(of user: AuthenticatedUser) -> Privileges.Rights? {
        guard Privileges.canSwitch, let uid = user.uid else { return nil }
        return Privileges.Rights(uid: uid, gid: user.gid ?? uid)
    }

    private mutating func open(_ authenticated: AuthenticatedUser, _ mechanism: String) async {
        let settings = settings
        await enter(authenticated, await offload { Conversation.admit(authenticated, settings) }, mechanism)
    }

    /// Goes on with the mailbox that was opened, or says why there is none.
    private mutating func enter(
        _ authenticated: AuthenticatedUser, _ admission: Admission?, _ mechanism: String
    ) async {
        settings.failures.noteSuccess(from: address, user: authenticated.name)
        switch admission {
        case .success(let store):
            self.store = store
            rights = Conversation.rights(of: authenticated)
            user = authenticated
            report(store, mechanism)
            session.answerLogin(.success(store.table))
        case .failure(.ledger(.tooSoon)):
            let seconds = Int(clamping: settings.loginDelay.components.seconds)
            await refuse(.tooSoon(seconds), authenticated.name, mechanism)
        case .failure(.ledger(.tooMany)), .failure(.store(.inUse)):
            await refuse(.inUse, authenticated.name, mechanism)
        case .failure(.store(.temporary(let reason))):
            Diagnostics.say(reason)
            await refuse(.temporary, authenticated.name, mechanism)
        case .failure(.store(.permanent(let reason))):
            Diagnostics.say(reason)
            await refuse(.permanent, authenticated.name, mechanism)
        case nil: await refuse(.temporary, authenticated.name, mechanism)
        }
    }

    private func report(_ store: any MailStore, _ mechanism: String) {
        guard events.isOn else { return }
        let (name, tls) = (user?.name, connection.tls?.version)
        events.write("login", client: client) {
            $0.field("user", name)
            $0.field("mechanism", mechanism)
            $0.field("tls", tls)
            $0.field("messages", store.table.count)
            $0.field("octets", store.table.totalOctets)
        }
        if store.expired > 0 {
            events.write("expired", client: client) {
                $0.field("user", name)
                $0.field("messages", store.expired)
            }
        }
        for entry in store.skipped {
            events.write("skipped", client: client) {
                $0.field("user", name)
                $0.field("name", entry.name)
                $0.field("reason", entry.reason)
            }
        }
    }
}
