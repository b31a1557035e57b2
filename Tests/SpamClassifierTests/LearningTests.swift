import Bytes
import SpamClassifier
import TestSupport
import Testing
import Unix

@Suite("Learning")
struct LearningTests {
    static func message(_ number: Int, spam: Bool, _ generator: inout SeededGenerator) -> [UInt8] {
        let words = spam ? ["cheap", "pills", "winner", "click"] : ["meeting", "patch", "review", "lunch"]
        var text = "From: a\(number)@example.org\nSubject: \(words[number % 4]) \(number)\n\n"
        for _ in 0..<20 { text += (generator.next() % 3 == 0 ? words[Int(generator.next() % 4)] : "and") + " " }
        return Array("\(text)\n".utf8)
    }

    static func taught(_ path: String, _ count: Int = 20) throws {
        var generator = SeededGenerator(seed: 3)
        let learner = try Learner(path)
        let extractor = FeatureExtractor()
        var batch: [Learner.Exercise] = []
        for number in 0..<count {
            for isSpam in [true, false] {
                let bytes = message(number, spam: isSpam, &generator)
                batch.append(try Learner.Exercise(bytes.span, as: isSpam ? .spam : .ham, extractor))
            }
        }
        #expect(learner.train(batch) == count * 2)
        try learner.commit()
    }

    static func odds(_ path: String, _ message: [UInt8]) throws -> Double {
        try LearnedWeights(path).logOdds(of: message.span, FeatureExtractor())
    }

    @Test("what was learned tells spam from ham, and the same batch gives the same file")
    func separates() throws {
        let folder = try TestDirectory()
        let (first, second) = ("\(folder.path)/a", "\(folder.path)/b")
        try Self.taught(first)
        try Self.taught(second)
        #expect(try Files.read(first) == Files.read(second))
        var generator = SeededGenerator(seed: 4)
        #expect(try Self.odds(first, Self.message(90, spam: true, &generator)) > 1)
        #expect(try Self.odds(first, Self.message(91, spam: false, &generator)) < -1)
        #expect(try LearnedWeights(first).counts == LessonCounts(spam: 20, ham: 20))
    }

    @Test("a message learned twice counts once, and forgetting is the exact inverse of learning")
    func inverse() throws {
        let folder = try TestDirectory()
        let path = "\(folder.path)/w"
        try Self.taught(path)
        let before = try Files.read(path)
        let extractor = FeatureExtractor()
        let message = Array("Subject: lunch pills\nX-Spam-Status: No\n\nsomething new\n".utf8)
        var learner: Learner? = try Learner(path)
        #expect(try learner?.learn(message.span, as: .spam, extractor) == .learned)
        #expect(try learner?.learn(message.span, as: .spam, extractor) == .known)
        #expect(learner?.counts == LessonCounts(spam: 21, ham: 20))
        #expect(try learner?.learn(message.span, as: .ham, extractor) == .learned)
        #expect(learner?.counts == LessonCounts(spam: 20, ham: 21))
        try learner?.commit()
        learner = nil
        #expect(try Files.read(path) != before)
        // The same message as another way brings it: other line ends, an mbox line, other marks of filters.
        let again = Array("From x Thu Jan  1 00:00:00 1970\r\nSubject: lunch pills\r\n\r\nsomething new\r\n".utf8)
        learner = try Learner(path)
        #expect(try learner?.forget(again.span, extractor) == .forgotten)
        #expect(try learner?.forget(again.span, extractor) == .unknown)
        try learner?.commit()
        learner = nil
        #expect(try Files.read(path) == before)
    }

    @Test("a file that is cut, damaged or of another kind is refused and left as it is")
    func refuses() throws {
        let folder = try TestDirectory()
        let path = "\(folder.path)/w"
        try Self.taught(path, 3)
        let good = try Files.read(path)
        var flipped = good
        flipped[5_000] ^= 1
        for bad in [Array(good.prefix(9_000)), [], Array("hello\n".utf8), flipped, good + [0], Array(good.prefix(20))] {
            let name = try folder.write("bad", bad)
            #expect(throws: WeightFileError.self) { try LearnedWeights(name) }
            #expect(throws: WeightFileError.self) { try Learner(name) }
            #expect(try Files.read(name) == bad)
        }
    }

    @Test("any bytes can be learned, scored and forgotten")
    func hostile() throws {
        var generator = SeededGenerator(seed: 5)
        let folder = try TestDirectory()
        let learner = try Learner("\(folder.path)/w")
        let extractor = FeatureExtractor()
        let seed = Array(
            "From: =?utf-8?Q?a=20?= <a@b>\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n--x--\n".utf8)
        for number in 0..<200 {
            let message = number == 0 ? [] : generator.mutated(seed)
            _ = try learner.learn(message.span, as: number % 2 == 0 ? .spam : .ham, extractor)
            if number % 3 == 0 { _ = try learner.forget(message.span, extractor) }
        }
        try learner.commit()
        #expect(try Self.odds("\(folder.path)/w", seed).isFinite)
    }
}
