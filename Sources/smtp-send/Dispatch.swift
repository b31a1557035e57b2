import SMTP

/// A message for recipients that share a route, and what is known of them so far.
struct Dispatch {
    let message: OutgoingMessage
    private(set) var reports: [RecipientReport]
    private var hasResult: [Bool]
    private let start = ContinuousClock.now
    /// The news of several addresses gather in one text up to about this many octets.
    private static let textLimit = 400
    /// What the server said to the latest transaction; nothing when there was none.
    private var latest: [ClientResult] = []

    init(message: OutgoingMessage, recipients: [EnvelopeAddress]) {
        self.message = message
        let unknown = ClientResult(
            outcome: .temporary, enhanced: "4.4.4", text: "no server was found", cause: .connection)
        reports = recipients.map { RecipientReport(recipient: $0, result: unknown, time: .zero) }
        hasResult = recipients.map { _ in false }
    }

    /// Those for whom another host may still be tried.
    var pending: [EnvelopeAddress] {
        zip(reports, hasResult).filter { !$1 || $0.result.mayBeTriedElsewhere }.map(\.0.recipient)
    }

    var isComplete: Bool { pending.isEmpty }

    /// True when the latest attempt brought the server's own word about the message for everyone.
    var hasReplied: Bool { !latest.isEmpty && latest.allSatisfy { $0.cause != .connection } }

    /// True when the latest attempt ended without a word of the server about the message.
    var isLostUnheard: Bool { latest.allSatisfy { $0.cause == .connection || $0.code == 421 } }

    /// The same result for everyone, without an attempt.
    mutating func settle(_ result: ClientResult) {
        for index in reports.indices { record(result, at: index, nil, tlsVersion: nil) }
    }

    /// An attempt that did not come to a session.
    mutating func note(_ failure: ClientResult, at server: ServerName) {
        note(failure, at: server, for: pending)
    }

    /// The same, for those for whom the attempt was made.
    mutating func note(_ failure: ClientResult, at server: ServerName, for recipients: [EnvelopeAddress]) {
        latest = []
        let waiting = Set(recipients)
        for index in reports.indices where waiting.contains(reports[index].recipient) {
            record(failure, at: index, server, tlsVersion: nil)
        }
    }

    /// The results of a transaction.
    mutating func note(_ results: [ClientResult], for recipients: [EnvelopeAddress], _ conversation: Conversation) {
        latest = results
        let byRecipient = Dictionary(zip(recipients, results), uniquingKeysWith: { $1 })
        for index in reports.indices {
            guard let result = byRecipient[reports[index].recipient] else { continue }
            record(result, at: index, conversation.server, tlsVersion: conversation.tlsVersion)
            reports[index].passedStatusRequest = conversation.takesStatusRequests
        }
    }

    /// A server's word, or what is wrong with it, is not replaced by the news that another one could not be reached;
    /// such news of several addresses gather.
    private mutating func record(_ result: ClientResult, at index: Int, _ server: ServerName?, tlsVersion: String?) {
        reports[index].time = .now - start
        var result = result
        if hasResult[index], result.cause == .connection {
            let old = reports[index].result
            guard old.cause == .connection else { return }
            if old.text.utf8.count < Self.textLimit { result.text = "\(old.text); \(result.text)" }
        }
        hasResult[index] = true
        reports[index].result = result
        reports[index].server = server
        reports[index].tlsVersion = tlsVersion
    }
}

extension ClientResult {
    /// A temporary failure goes to the next host, but not when this one may have the message already. A host that takes no
    /// mail at all, or lacks what the message needs, is not the domain's last word either.
    fileprivate var mayBeTriedElsewhere: Bool {
        switch cause {
        case .answerLost: false
        case .host: true
        case .message, .tls: outcome == .temporary || code == nil
        default: outcome == .temporary
        }
    }
}
