import DNS

/// Answers of the DNS to work with as if all were there: what is missing is thrown, to be asked for, and then the work is
/// done anew. Most work is done at once that way, and none of it waits in between.
struct KnownAnswers {
    struct Question: Hashable, Sendable {
        let name: DomainName
        let type: RecordType
    }

    /// What is to be asked for first.
    struct Missing: Error {
        let questions: [Question]
    }

    let resolver: Resolver
    /// What was asked for in the course of this work: it counts, however short it holds.
    private var asked: [Question: Answer] = [:]

    init(_ resolver: Resolver) { self.resolver = resolver }

    /// The answers to several questions, with the moment until which all of them hold.
    func answers(_ questions: [Question]) throws(Missing) -> (answers: [Answer], lifetime: KnownAnswer.Lifetime) {
        var answers: [Answer] = []
        answers.reserveCapacity(questions.count)
        var lifetime = KnownAnswer.Lifetime.forever
        var missing: [Question] = []
        for question in questions {
            if let known = resolver.known(question.name, question.type) {
                answers.append(known.answer)
                lifetime = min(lifetime, known.lifetime)
            } else if let answer = asked[question] {
                answers.append(answer)
                lifetime = .over
            } else {
                missing.append(question)
            }
        }
        if !missing.isEmpty { throw Missing(questions: missing) }
        return (answers, lifetime)
    }

    func answer(_ name: DomainName, _ type: RecordType) throws(Missing) -> Answer {
        try answers([Question(name: name, type: type)]).answers[0]
    }

    /// Does work, and asks for what it misses until it misses nothing; what does not come in time is a temporary failure.
    static func resolve<Value: Sendable>(
        _ resolver: Resolver, _ deadline: Deadline, _ work: @Sendable (KnownAnswers) throws(Missing) -> Value
    ) async -> Value {
        var known = KnownAnswers(resolver)
        while true {
            do throws(Missing) {
                return try work(known)
            } catch {
                await known.ask(error.questions, deadline)
            }
        }
    }

    private mutating func ask(_ questions: [Question], _ deadline: Deadline) async {
        let resolver = resolver
        if questions.count == 1 {
            asked[questions[0]] = await Self.ask(questions[0], resolver, deadline)
            return
        }
        await withTaskGroup(of: (Question, Answer).self) { group in
            for question in questions {
                group.addTask { (question, await Self.ask(question, resolver, deadline)) }
            }
            for await (question, answer) in group { asked[question] = answer }
        }
    }

    private static func ask(_ question: Question, _ resolver: Resolver, _ deadline: Deadline) async -> Answer {
        await deadline.lookup(resolver, question.name, question.type)
            ?? Answer(
                .temporaryFailure(TemporaryFailure("no answer in time", tries: 0)), canonicalName: question.name)
    }
}
