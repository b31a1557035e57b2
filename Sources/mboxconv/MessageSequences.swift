import Bytes
import Mailboxes
import Unix

/// The sequences of an MH folder, which name sets of messages (mh-sequence(5)): flags and keywords of the messages.
struct MessageSequences {
    static let fileName = ".mh_sequences"

    /// Names, and the numbers in them.
    private var sequences: [(name: String, numbers: Set<Int>)] = []
    private let isThere: Bool
    /// A message that was added is in no sequence `unseen`.
    private(set) var hasSeen = false

    init(_ folder: String) {
        let bytes = try? Files.read("\(folder)/\(Self.fileName)", limit: 256 << 20)
        isThere = bytes != nil
        for line in (bytes ?? []).split(separator: ASCII.lf) {
            let sides = line.split(separator: ASCII.colon, maxSplits: 1)
            guard sides.count == 2 else { continue }
            var numbers: Set<Int> = []
            for word in sides[1].split(separator: ASCII.space) {
                let ends = word.split(separator: ASCII.dash).compactMap { MessageFiles.number(Array($0)) }
                // A range of all numbers would take all memory.
                guard let first = ends.first, let last = ends.last, first <= last, last - first < 10_000_000 else {
                    continue
                }
                numbers.formUnion(first...last)
            }
            sequences.append((sides[0].text, numbers))
        }
    }

    private func holds(_ name: String, _ number: Int) -> Bool {
        sequences.contains { $0.name == name && $0.numbers.contains(number) }
    }

    /// The sequences that are flags, with the letters of these in a Maildir.
    private static let letters: [(name: String, letter: UInt8)] = [
        ("draft", UInt8(ascii: "D")), ("flagged", UInt8(ascii: "F")), ("passed", UInt8(ascii: "P")),
        ("replied", UInt8(ascii: "R")), ("trashed", UInt8(ascii: "T")),
    ]

    /// A message is unread when it is in the sequence `unseen`; where there are no sequences nothing is known.
    func flags(of number: Int) -> MessageFlags {
        guard isThere else { return MessageFlags() }
        var flags = MessageFlags(maildirLetters: Self.letters.filter { holds($0.name, number) }.map(\.letter))
        flags.isSeen = !holds("unseen", number)
        flags.isOld = flags.isSeen
        return flags
    }

    func keywords(of number: Int) -> [[UInt8]] {
        let others = sequences.filter { sequence in
            sequence.name != "cur" && sequence.name != "unseen" && !Self.letters.contains { $0.name == sequence.name }
        }
        return others.filter { $0.numbers.contains(number) }.map { Array($0.name.utf8) }.filter { Keyword.isName($0) }
    }

    // MARK: Writing

    /// Notes a message. Keywords that cannot name a sequence are left out.
    mutating func add(_ number: Int, _ flags: MessageFlags, _ keywords: [[UInt8]]) {
        if flags.isSeen { hasSeen = true } else { add(number, to: "unseen") }
        for (name, letter) in Self.letters where flags.maildirLetters.contains(letter) { add(number, to: name) }
        for keyword in keywords {
            guard let first = keyword.first, first.isASCIILetter,
                keyword.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit })
            else { continue }
            add(number, to: keyword.text)
        }
    }

    private mutating func add(_ number: Int, to name: String) {
        if let place = sequences.firstIndex(where: { $0.name == name }) {
            sequences[place].numbers.insert(number)
        } else {
            sequences.append((name, [number]))
        }
    }

    var isEmpty: Bool { sequences.allSatisfy(\.numbers.isEmpty) }

    /// The file's content.
    var bytes: [UInt8] {
        var output: [UInt8] = []
        for (name, numbers) in sequences where !numbers.isEmpty {
            output += Array("\(name):".utf8)
            var run: ClosedRange<Int>?
            func close() -> [UInt8] {
                guard let run else { return [] }
                return Array((run.count == 1 ? " \(run.lowerBound)" : " \(run.lowerBound)-\(run.upperBound)").utf8)
            }
            for number in numbers.sorted() {
                if let known = run, known.upperBound + 1 == number {
                    run = known.lowerBound...number
                } else {
                    output += close()
                    run = number...number
                }
            }
            output += close() + [ASCII.lf]
        }
        return output
    }
}
