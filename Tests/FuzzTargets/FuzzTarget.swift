/// A parser that takes any bytes: it may refuse them, but not trap, hang or grow without bound.
public struct FuzzTarget: Sendable {
    /// The name that `FUZZ_TARGET` chooses it by, and that of its folder of seeds.
    public let name: String
    public let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, _ run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.run = run
    }

    /// Every target; a parser that is added to the sources gets one here and seeds in `Tests/FuzzTests/Seeds`.
    public static let all: [FuzzTarget] =
        codecs + messages + mailboxes + protocols + names + rules + authentication + answers

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// A rule that a target found broken: what libFuzzer and the tests see as a crash.
func require(_ condition: Bool, _ rule: @autoclosure () -> String) {
    if !condition { fatalError("fuzz: broken rule: \(rule())") }
}
