import Bytes
import CommandLineTool
import Delivery
import Glibc
import SMTP
import Unix

/// --stdio: a program speaks SMTP to standard input (sendmail -bs), and what it says is sent. With a queue a message is
/// accepted when it is in the queue, else when it is delivered.
final class LocalSession {
    private var session: ServerSession
    private let queue: Queue?
    private let courier: Courier
    private let report: Report
    private var spool = MessageSpool()
    private var envelope: Envelope?
    /// What was queued.
    private(set) var queued: [QueueID] = []

    init(hostName: String, queue: Queue?, courier: Courier, report: Report) {
        session = ServerSession(ServerSession.Configuration(hostName: hostName))
        self.queue = queue
        self.courier = courier
        self.report = report
    }

    /// Goes on to QUIT or to the end of the input.
    func run() async throws {
        let input = FileDescriptor(owning: dup(0), subject: "standard input")
        var lines = LocalLines()
        var buffer: [UInt8] = []
        session.greet()
        while true {
            let (consumed, step) = session.next(buffer.span)
            buffer.removeFirst(consumed)
            switch step {
            case .needInput:
                say()
                guard try lines.read(input, into: &buffer) else { break }
                continue
            case .close:
                say()
                await courier.quit()
                return
            default:
                try await take(step)
                continue
            }
            break
        }
        await courier.quit()
    }

    private func say() {
        Output.standard.write(session.takeOutput())
        Output.standard.flush()
    }

    private func take(_ step: ServerSession.Step) async throws {
        switch step {
        case .checkSender: session.answerSender(nil)
        case .checkRecipient(let recipient):
            let isUsable = EnvelopeAddress(recipient.path.description) != nil
            session.answerRecipient(isUsable ? nil : Reply(550, "5.1.3", "this is no address that mail can be sent to"))
        case .inspect: session.proceed()
        case .verify, .expand, .flushQueue: session.answerCommand(Reply(502, "5.5.1", "not done here"))
        case .beginData(let envelope):
            self.envelope = envelope
            spool = MessageSpool()
        case .data(let bytes): try spool.append(bytes.span)
        case .abandonData: spool = MessageSpool()
        case .endData:
            try spool.append(session.takeLastPiece().span)
            session.answerData([await answer(try finishSpool())])
        case .authenticate, .authenticationResponse, .startTLS, .needInput, .close: break
        }
    }

    private func finishSpool() throws -> MessageContent {
        try spool.finish()
    }

    private func answer(_ content: MessageContent) async -> Reply {
        guard let envelope else { return Reply(451, "4.3.0", "there is no envelope") }
        var request = StatusRequest()
        request.parameters = envelope.parameters
        var recipients: [EnvelopeAddress] = []
        var known: Set<EnvelopeAddress> = []
        for recipient in envelope.recipients {
            guard let address = EnvelopeAddress(recipient.path.description)?.qualified else { continue }
            if known.insert(address).inserted { recipients.append(address) }
            request.recipientParametersByAddress[address] = recipient.parameters
        }
        let message = OutgoingMessage(
            name: "-", content: content, reversePath: envelope.reversePath.description, recipients: recipients,
            request: request)
        guard let queue else { return verdict(await courier.deliver(message)) }
        do throws(SystemError) {
            let id = try queue.add(message)
            queued.append(id)
            return Reply(250, "2.0.0", "queued as \(id)")
        } catch {
            return Reply(error.isOutOfSpace ? 452 : 451, "4.3.0", "\(error)")
        }
    }

    /// One answer for all: yes when somebody has the message, since it would be sent again else.
    private func verdict(_ reports: [RecipientReport]) -> Reply {
        report.add(reports, message: "-")
        let accepted = reports.filter { $0.result.outcome == .accepted }
        if let first = accepted.first {
            let all = accepted.count == reports.count
            let count = all ? "" : "for \(accepted.count) of \(reports.count) recipients: "
            return Reply(250, "2.0.0", count + first.result.text)
        }
        let later = reports.first { $0.result.outcome == .temporary }
        guard let result = (later ?? reports.first)?.result else { return Reply(554, "5.1.1", "no recipients") }
        return later == nil
            ? Reply(result.code ?? 554, result.enhanced ?? "5.0.0", result.text)
            : Reply(451, result.enhanced ?? "4.0.0", result.text)
    }
}

/// What a program of this machine says on standard input: one whose first line ends with LF alone writes all its lines so,
/// and means CRLF.
private struct LocalLines {
    private var endsWithLF: Bool?
    private var last = ASCII.lf

    /// Adds what can be read to the buffer; false at the end.
    mutating func read(_ input: borrowing FileDescriptor, into buffer: inout [UInt8]) throws(SystemError) -> Bool {
        let old = buffer.count
        guard try input.read(into: &buffer) > 0 else { return false }
        if endsWithLF == nil, let lf = buffer[old...].firstIndex(of: ASCII.lf) {
            endsWithLF = lf == 0 || buffer[lf - 1] != ASCII.cr
        }
        guard endsWithLF ?? false else { return true }
        let said = Array(buffer[old...])
        buffer.removeLast(said.count)
        for byte in said {
            if byte == ASCII.lf, last != ASCII.cr { buffer.append(ASCII.cr) }
            buffer.append(byte)
            last = byte
        }
        return true
    }
}
