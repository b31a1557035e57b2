import Foundation
import FuzzTargets
import TestSupport
import Testing

@Suite("Fuzz targets")
struct FuzzTests {
    /// The seeds of a target: its folder, and the example messages for those that take messages.
    static func seeds(_ target: String) throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Seeds/\(target)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { Array(try Data(contentsOf: folder.appendingPathComponent($0))) }
    }

    @Test("no seed and no mutation of one makes a parser trap or hang", arguments: FuzzTarget.all.map(\.name))
    func mutations(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        var seeds = try Self.seeds(name)
        if ["message", "mbox", "html", "message-head", "spam-rules"].contains(name) {
            seeds += try TestData.examples().map(\.bytes)
        }
        #expect(!seeds.isEmpty)
        target.run([])
        for seed in seeds { target.run(seed) }
        var generator = SeededGenerator(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        let clock = ContinuousClock()
        let end = clock.now + .milliseconds(400)
        while clock.now < end {
            target.run(generator.mutated(seeds[Int(generator.next() % UInt64(seeds.count))]))
        }
    }
}
