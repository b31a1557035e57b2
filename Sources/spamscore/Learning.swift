import Bytes
import CommandLineTool
import Mailboxes
import SpamClassifier
import Unix

/// --learn, --forget and --train.
enum Learning {
    static func run(_ arguments: Arguments, _ folder: UserFolder) throws -> ExitCode {
        let options = SpamscoreOptions.self
        let file = try folder.weights()
        if arguments[options.weights] == nil, let path = folder.path {
            try Files.makeDirectory(path, mode: 0o700, parents: true)
        }
        var lessons: [String: MessageClass] = [:]
        var input: MessageInput
        if let list = arguments[options.train] {
            let names = try LessonList.read(list, &lessons)
            input = MessageInput(names)
            input.isMbox = arguments[options.mbox]
        } else {
            input = try Inputs.of(arguments)
        }
        let kind: MessageClass = arguments[options.learn] == "spam" ? .spam : .ham
        do {
            let visitor = LessonVisitor(
                try Learner(file), isForgetting: arguments[options.forget], kind: kind, lessons: lessons)
            try input.read(visitor)
            try visitor.finish()
            report(visitor, isForgetting: arguments[options.forget], isJSON: arguments[options.json])
            return visitor.exitCode
        } catch let error as WeightFileError {
            throw UserFolder.learningFailure(file, error)
        }
    }

    private static func report(_ visitor: LessonVisitor, isForgetting: Bool, isJSON: Bool) {
        let counts = visitor.learner.counts
        if isJSON {
            var json = JSONWriter()
            json.object {
                $0.field(isForgetting ? "forgotten" : "learned", visitor.changed)
                $0.field("messages", visitor.messages)
                $0.field("spam", counts.spam)
                $0.field("ham", counts.ham)
            }
            Output.standard.write(json.takeLine())
        } else {
            Output.standard.writeLine(
                "\(isForgetting ? "forgot" : "learned") \(visitor.changed) of \(visitor.messages) messages: "
                    + "\(counts.spam) spam and \(counts.ham) ham in all")
        }
    }
}

/// Learns or forgets each message that comes.
final class LessonVisitor: MessageVisitor {
    let learner: Learner
    private let extractor = FeatureExtractor()
    private let isForgetting: Bool
    private let kind: MessageClass
    private let lessons: [String: MessageClass]
    private var batch: [Learner.Exercise] = []
    private(set) var messages = 0
    private(set) var changed = 0
    private var outcome = RunOutcome()

    /// More messages than this are learned in several batches, which bounds the memory they take.
    private static let batchSize = 16_384

    init(_ learner: Learner, isForgetting: Bool, kind: MessageClass, lessons: [String: MessageClass]) {
        self.learner = learner
        self.isForgetting = isForgetting
        self.kind = kind
        self.lessons = lessons
    }

    var exitCode: ExitCode { outcome.problemCode ?? .ok }

    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        messages += 1
        if isForgetting {
            if try learner.forget(bytes, extractor) == .forgotten { changed += 1 }
            return true
        }
        batch.append(try Learner.Exercise(bytes, as: lessons[message.file] ?? kind, extractor))
        if batch.count == LessonVisitor.batchSize { learnBatch() }
        return true
    }

    private func learnBatch() {
        changed += learner.train(batch)
        batch.removeAll(keepingCapacity: true)
    }

    /// Writes what was learned.
    func finish() throws(WeightFileError) {
        learnBatch()
        try learner.commit()
    }

    func report(_ problem: InputProblem) { outcome.take(problem) }
}
