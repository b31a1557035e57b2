import Bytes
import CommandLineTool
import DNS
import SenderAuthentication
import SpamRules
import Synchronization
import Unix

/// Asks the network what rules want to know of messages, all of a message at once and within one deadline: on a thread
/// with an event loop of its own, where the scorers' threads wait for it.
final class NetworkTests: Sendable {
    private struct Job: Sendable {
        let survey: NetworkSurvey
        let answer: BlockingValue<NetworkFacts>
    }

    private struct State: Sendable {
        var isRunning = false
        /// No server has answered anything: nobody is asked until then.
        var silentUntil: ContinuousClock.Instant?
    }

    private let resolver: Resolver
    private let verifier: SenderVerifier
    private let deadline: Duration
    private let jobs = Handoff<Job>(capacity: 1_024)
    private let threads = WorkerThreads()
    private let state = Mutex(State())

    /// What has not been answered by then, not a single question, will not be.
    private static let patience = Duration.milliseconds(1_500)
    /// How long servers that do not answer are left alone.
    private static let silence = Duration.seconds(60)

    init(_ arguments: Arguments) throws(ToolFailure) {
        deadline = arguments[SpamscoreOptions.deadline]
        do throws(ResolverError) {
            resolver = try Resolver.make(
                zoneFile: arguments[SpamscoreOptions.dns], servers: arguments[SpamscoreOptions.server],
                timeout: min(.seconds(2), max(deadline / 2, .milliseconds(50))), tries: 2)
        } catch {
            if case .badServer = error { throw ToolFailure(.usage, "--server \(error)") }
            throw ToolFailure(.noInput, "\(error)")
        }
        var options = SenderVerifier.Options()
        options.timeLimit = deadline
        verifier = SenderVerifier(resolver, options)
    }

    /// What can be found out; blocks the thread for as long as the deadline, at most.
    func facts(_ survey: NetworkSurvey) -> NetworkFacts {
        let answer = BlockingValue<NetworkFacts>()
        let isReady = state.withLock { state in
            if let until = state.silentUntil {
                if .now < until { return false }
                state.silentUntil = nil
            }
            if !state.isRunning { state.isRunning = threads.start { [self] in run() } }
            return state.isRunning
        }
        guard isReady else { return NetworkTests.nothing }
        jobs.send(Job(survey: survey, answer: answer))
        return answer.wait()
    }

    private static var nothing: NetworkFacts {
        var facts = NetworkFacts()
        facts.cut = ["network: no DNS server answers"]
        return facts
    }

    private func run() {
        let failure: Void? = try? EventLoop.run { [self] _ in
            await withDiscardingTaskGroup { group in
                while let job = await jobs.receive() {
                    group.addTask { job.answer.set(await self.look(job.survey)) }
                }
            }
        }
        // Without a loop nobody would answer those who wait.
        if failure == nil { state.withLock { $0.isRunning = false } }
    }

    // MARK: On the loop

    private func look(_ survey: NetworkSurvey) async -> NetworkFacts {
        let found = Findings()
        let isComplete = await withTaskGroup(of: Bool?.self) { group in
            group.addTask {
                await self.ask(survey, found)
                return true
            }
            group.addTask {
                let patience = min(NetworkTests.patience, self.deadline)
                try? await EventLoop.sleep(for: patience)
                if Task.isCancelled || found.isAnswered { return nil }
                return false
            }
            group.addTask {
                try? await EventLoop.sleep(for: self.deadline)
                return false
            }
            var outcome = false
            while let ended = await group.next() {
                guard let ended else { continue }
                outcome = ended
                break
            }
            // What is known by now counts; what comes later does not.
            found.close()
            group.cancelAll()
            return outcome
        }
        if !found.isAnswered, found.wasAsked {
            state.withLock { $0.silentUntil = .now + NetworkTests.silence }
            return NetworkTests.nothing
        }
        var facts = found.facts
        if !isComplete { facts.cut.append("network: deadline") }
        return facts
    }

    private func ask(_ survey: NetworkSurvey, _ found: Findings) async {
        let resolver = resolver
        let lookup: NetworkSurvey.Lookup = { question in
            found.ask()
            let answer = await NetworkTests.answer(to: question, resolver)
            if answer != nil { found.answer() }
            return answer
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await survey.ask(lookup) { found.add($0, $1) } }
            if survey.wantsSender {
                group.addTask { await self.askSender(survey, found, lookup) }
            }
        }
    }

    /// What the DNS says, in the words of rules; nil when nobody can say now.
    private static func answer(to question: NetworkQuestion, _ resolver: Resolver) async -> [String]? {
        let answer: Answer
        switch question.kind {
        case .address: answer = await resolver.lookup(question.name, .a)
        case .text: answer = await resolver.lookup(question.name, .txt)
        case .exchange: answer = await resolver.lookup(question.name, .mx)
        case .nameServer: answer = await resolver.lookup(question.name, .ns)
        case .reverse:
            guard let address = IPAddress(question.name) else { return [] }
            answer = await resolver.names(of: address)
        }
        if answer.temporaryFailure != nil { return nil }
        return answer.records.compactMap { record in
            switch record.data {
            case .address(let address): "\(address)"
            case .exchange(_, let host), .name(let host): NetworkTests.plain(host)
            case .text: record.data.joinedText?.text
            default: nil
            }
        }
    }

    /// In lower case, without a dot at its end.
    private static func plain(_ name: DomainName) -> String {
        let text = "\(name)"
        return text.count > 1 && text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    private func askSender(_ survey: NetworkSurvey, _ found: Findings, _ lookup: @escaping NetworkSurvey.Lookup) async {
        let question = survey.sender
        let request = question.flatMap { question in
            IPAddress(question.address).map {
                SPFRequest(address: $0, mailFrom: question.mailFrom, helo: question.helo)
            }
        }
        await withTaskGroup(of: Void.self) { group in
            if let sender = question?.mailFrom?.split(separator: "@").last ?? question.map({ $0.helo[...] }) {
                // The record that SPF begins with: whether anybody answers at all.
                group.addTask { _ = await lookup(NetworkQuestion(String(sender), .text)) }
            }
            group.addTask {
                guard let report = try? await self.verifier.verify(survey.message, client: request) else { return }
                found.take(report, isSenderKnown: question?.mailFrom != nil, question)
                let signers = report.dkim.filter { $0.verdict == .pass }.map { $0.domain.lowercased() }
                await withDiscardingTaskGroup { group in
                    for question in survey.questions(signers: signers) {
                        group.addTask { if let answers = await lookup(question) { found.add(question, answers) } }
                    }
                }
            }
            if let request, let question, !question.helo.isEmpty {
                group.addTask {
                    let outcome = await self.verifier.checkClient(
                        SPFRequest(address: request.address, mailFrom: "", helo: question.helo))
                    found.take(helo: outcome, question)
                }
            }
        }
    }
}

/// What was found out about one message so far.
private final class Findings: Sendable {
    private struct State: Sendable {
        var facts = NetworkFacts()
        var isAnswered = false
        var wasAsked = false
        var isClosed = false
    }

    private let state = Mutex(State())

    var facts: NetworkFacts { state.withLock { $0.facts } }
    var isAnswered: Bool { state.withLock { $0.isAnswered } }
    var wasAsked: Bool { state.withLock { $0.wasAsked } }

    func ask() { state.withLock { $0.wasAsked = true } }
    func answer() { state.withLock { if !$0.isClosed { $0.isAnswered = true } } }
    func close() { state.withLock { $0.isClosed = true } }

    func add(_ question: NetworkQuestion, _ answers: [String]) {
        state.withLock { if !$0.isClosed { $0.facts.answers[question] = answers } }
    }

    private func change(_ change: (inout SenderFindings) -> Void) {
        state.withLock { state in
            guard !state.isClosed else { return }
            var sender = state.facts.sender ?? SenderFindings()
            change(&sender)
            state.facts.sender = sender
        }
    }

    func take(_ report: SenderReport, isSenderKnown: Bool, _ question: SenderQuestion?) {
        change { sender in
            if isSenderKnown, let spf = report.spf, let question {
                sender.spf = Findings.result(spf, question)
            }
            sender.signatures = report.dkim.map { result in
                SenderFindings.Signature(
                    domain: result.domain.lowercased(), isValid: result.verdict == .pass, isTesting: result.isTesting,
                    reason: "signed by \(result.domain)\(result.reason.map { ": \($0)" } ?? "")")
            }
            sender.arc = SenderFindings.Result(
                report.arc.verdict.rawValue,
                report.arc.reason ?? report.arc.sealer.map { "sealed by \($0)" } ?? "no chain")
            let dmarc = report.dmarc
            let domain = dmarc.domain ?? "From"
            sender.dmarc = SenderFindings.Policy(
                dmarc.verdict.rawValue, policy: dmarc.record == nil ? nil : dmarc.policy?.rawValue ?? "none",
                dmarc.record.map { "\(domain): \($0)" } ?? dmarc.reason ?? "\(domain) has no policy")
        }
    }

    func take(helo outcome: SPFOutcome, _ question: SenderQuestion) {
        change { $0.helo = Findings.result(outcome, question) }
    }

    /// `192.0.2.7 may not send for example.org: v=spf1 mx -all`
    private static func result(_ outcome: SPFOutcome, _ question: SenderQuestion) -> SenderFindings.Result {
        let may: String
        switch outcome.result {
        case .pass: may = "\(question.address) may send for \(outcome.domain)"
        case .fail: may = "\(question.address) may not send for \(outcome.domain)"
        case .softfail: may = "\(question.address) should not send for \(outcome.domain)"
        case .neutral: may = "\(outcome.domain) does not say whether \(question.address) may send for it"
        case .none: may = "\(outcome.domain) has no policy"
        case .temperror, .permerror: may = "the policy of \(outcome.domain) cannot be used"
        }
        let more = outcome.problem ?? outcome.record
        return SenderFindings.Result(outcome.result.rawValue, may + (more.map { ": \($0)" } ?? ""))
    }
}
