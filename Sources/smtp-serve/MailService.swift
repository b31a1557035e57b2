import Accounts
import CommandLineTool
import Delivery
import Glibc
import Network
import ServerTool
import Synchronization
import Unix

/// What all sessions share: settings, events, the committer and the identifiers of messages.
final class MailService: Sendable {
    let settings: ServerSettings
    let events: EventLog
    let committer = GroupCommitter()
    let failures = LoginFailures()
    /// Nil without a queue.
    let queueRequests: QueueRequests?
    private let counter = Atomic<Int>(0)

    init(settings: ServerSettings, events: EventLog) {
        self.settings = settings
        self.events = events
        queueRequests = settings.queue.map { QueueRequests($0) }
    }

    /// An identifier for a message: time, process and number, so that no other on this machine has it.
    func makeIdentifier() -> String {
        let number = counter.add(1, ordering: .relaxed).newValue
        return [SystemClock.now.seconds, Int(getpid()), number].map { String($0, radix: 36, uppercase: true) }
            .joined(separator: ".")
    }

    /// Serves one connection to its end.
    func serve(_ connection: Connection, _ origin: ConnectionOrigin) async {
        var conversation = Conversation(self, connection, origin)
        var reason: String?
        do throws(ConnectionError) {
            try await conversation.run()
        } catch {
            reason = error.description
        }
        conversation.end(reason)
    }

    /// Tells the operator of an error that senders are not told about.
    func tell(_ error: SystemError) { Diagnostics.say("\(error): the sender was asked to try again") }

    /// Tells the operator why nobody can log in.
    func tell(_ reason: String) { Diagnostics.say("authentication: \(reason)") }
}
