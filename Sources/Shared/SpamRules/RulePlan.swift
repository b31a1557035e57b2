import Bytes
import Unix

/// A set of rules made ready to run, in tables that many scorers share: by what the rules look at, with the words that
/// say which of them can hit. It can be written to an image and read from it in a moment.
package final class RulePlan: Sendable {
    struct Flags: OptionSet {
        let rawValue: Int32
        static let negated = Flags(rawValue: 1)
        /// It looks at something else when there is no such field.
        static let hasDefault = Flags(rawValue: 2)
        static let skipsSubject = Flags(rawValue: 4)
        static let isSubrule = Flags(rawValue: 16)
        static let teachesNothing = Flags(rawValue: 32)
        static let hasDescription = Flags(rawValue: 64)
        /// What it matches in one of several texts it also matches in all of them joined.
        static let isJoinable = Flags(rawValue: 128)
        /// Nothing that comes after its hit counts: as spam, as ham, or as its points say.
        static let endsAsSpam = Flags(rawValue: 256)
        static let endsAsHam = Flags(rawValue: 512)
        static let ends = Flags(rawValue: 1_024)
        /// It tells of what was learned, for which LEARNED_xx has the points.
        static let isLearned = Flags(rawValue: 2_048)
    }

    /// Rules over the same texts.
    struct Group: Sendable {
        /// Run on every text.
        var always: [Int32] = []
        /// Run where what they require occurs.
        var needs = RequirementIndex()
        var isEmpty = true
    }

    // By rule.
    let names: TextTable
    let descriptions: StoredTexts
    /// The regular expressions as they are compiled.
    let patterns: StoredTexts
    /// What a header rule looks at when the field is missing.
    let defaults: TextTable
    private let kinds: [Int32]
    private let flags: [Int32]
    /// The flags of the expression.
    let options: [Int32]
    let maximumHits: [Int32]
    /// Where a rule stands in the order of rules, as far as that counts: lower ones come first.
    let priorities: [Int32]
    /// Some rule ends the scoring.
    let hasEnds: Bool
    /// The place in `subjects` of header rules; 0 for others.
    let subjectOf: [Int32]
    /// Four for each rule.
    private let points: [Double]
    /// The keyword of eval rules: header, body, rawbody, full.
    let evalAreas: TextTable

    let subjects: [HeaderSubject]
    /// Header rules that are run wherever their subject has a value, or even where not.
    let headers: [Int32]
    let headerNeeds: RequirementIndex
    let mimeHeaders: [Int32]
    let body: Group
    let rawBody: Group
    let uri: Group
    let full: Group
    let evals: [(rule: Int, call: EvalCall)]
    /// Each after those that it speaks of.
    let metas: [Int32]
    /// Where the steps of each meta end in `program`.
    let metaEnds: [Int32]
    let program: MetaProgram

    package let settings: RuleSettings
    package let problems: [RuleProblem]
    let tables: ListTables
    let expressions: ExpressionStore

    /// A rule that stands for a sender's reputation: its name and description.
    package var reputationRule: (name: String, description: String?, isTxRep: Bool)? {
        evals.first { EvalTests.reputationTests.contains($0.call.function) }.map {
            (names.text($0.rule), description($0.rule), $0.call.function == "check_senders_reputation")
        }
    }

    private static func hasEnds(_ flags: [Int32]) -> Bool {
        flags.contains { !Flags(rawValue: $0).isDisjoint(with: [.endsAsSpam, .endsAsHam, .ends]) }
    }

    var count: Int { names.count }

    func kind(_ rule: Int) -> RuleKind { RuleKind(rawValue: kinds[rule]) ?? .meta }
    func flags(_ rule: Int) -> Flags { Flags(rawValue: flags[rule]) }
    func points(_ rule: Int, set: Int) -> Double { points[rule * 4 + set] }

    /// Points of zero put a rule out of force; subrules have none and are.
    func isActive(_ rule: Int, set: Int) -> Bool {
        !flags(rule).isDisjoint(with: [.isSubrule, .isLearned]) || points(rule, set: set) != 0
    }

    /// The word for what a rule looks at.
    func word(_ rule: Int) -> String { kind(rule) == .eval ? evalAreas.text(rule) : kind(rule).word }

    func description(_ rule: Int) -> String? {
        flags(rule).contains(.hasDescription) ? descriptions.text(rule) : nil
    }

    /// The score from which on a message is spam, when a line tells.
    package var requiredScore: Double? { settings.number("required_score") ?? settings.number("required_hits") }

    // MARK: Making

    package convenience init(_ set: RuleSet) { self.init(RulePlanner(set)) }

    private init(_ planner: RulePlanner) {
        names = planner.names
        descriptions = StoredTexts(planner.descriptions)
        patterns = StoredTexts(planner.patterns)
        defaults = planner.defaults
        kinds = planner.kinds
        flags = planner.flags
        options = planner.options
        maximumHits = planner.maximumHits
        priorities = planner.priorities
        hasEnds = RulePlan.hasEnds(planner.flags)
        subjectOf = planner.subjectOf
        points = planner.points
        evalAreas = planner.evalAreas
        subjects = planner.subjects
        headers = planner.headers
        headerNeeds = planner.headerNeeds
        mimeHeaders = planner.mimeHeaders
        body = planner.body
        rawBody = planner.rawBody
        uri = planner.uri
        full = planner.full
        evals = planner.evals
        metas = planner.metas
        metaEnds = planner.metaEnds
        program = planner.program
        settings = planner.settings
        problems = planner.problems
        tables = ListTables(planner.settings)
        expressions = ExpressionStore(count: planner.names.count)
    }

    // MARK: Compiled expressions

    /// All expressions, compiled: what `adopt` takes. Empty when that cannot be done.
    package var compiledExpressions: [UInt8] {
        // What all begin with, PCRE2's tables, is kept once.
        var common: [UInt8]?
        var rests = TextTable()
        var checksums: [Int32] = []
        for rule in 0..<count {
            var bytes: [UInt8] = []
            if !patterns.isEmpty(rule), let pattern = expressions.pattern(of: rule, self, isFast: false) {
                bytes = pattern.bytes ?? []
            }
            checksums.append(RulePlan.checksum(bytes))
            if common == nil, !bytes.isEmpty { common = Array(bytes.prefix(RulePlan.commonSize)) }
            let hasCommon = common.map { bytes.starts(with: $0) } ?? false
            rests.append(bytes.dropFirst(hasCommon ? common?.count ?? 0 : bytes.count))
        }
        var image = RuleImageWriter()
        image.put(common ?? [])
        image.put(rests)
        image.put(checksums)
        return image.bytes
    }

    /// The header and the character tables of what PCRE2 10 writes, in bytes.
    private static let commonSize = 1_104

    /// Takes what `compiledExpressions` of the same plan has given. Each expression is read when it is first needed, if
    /// its bytes are as they were written: PCRE2 trusts what it reads.
    package func adopt(_ compiled: RuleImageBytes) {
        var image = RuleImageReader(compiled)
        guard let common = try? image.text(), let rests = try? image.storedTexts(), let checksums = try? image.int32s(),
            rests.count == count, checksums.count == count
        else { return }
        expressions.adopt(common, rests, checksums)
    }

    static func checksum(_ bytes: [UInt8]) -> Int32 {
        let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
        var sum = UInt64(bytes.count)
        let span = bytes.span
        var place = 0
        while place &+ 7 < span.count {
            var word: UInt64 = 0
            for offset in 0..<8 { word |= UInt64(span[place &+ offset]) << UInt64(offset &* 8) }
            sum = (sum ^ word) &* factor
            sum ^= sum >> 29
            place &+= 8
        }
        while place < span.count {
            sum = (sum ^ UInt64(span[place])) &* factor
            place &+= 1
        }
        return Int32(truncatingIfNeeded: sum >> 32)
    }

    // MARK: Image

    /// What `init(image:)` reads. It belongs to this version of the program.
    package var image: [UInt8] {
        var image = RuleImageWriter()
        for table in [names, defaults, evalAreas] { image.put(table) }
        image.put(descriptions)
        image.put(patterns)
        for column in [kinds, flags, options, maximumHits, priorities, subjectOf] { image.put(column) }
        image.put(points)
        image.put(TextTable(subjects.map { Array($0.text.utf8) }))
        image.put(headers)
        image.put(mimeHeaders)
        headerNeeds.write(to: &image)
        for group in [body, rawBody, uri, full] {
            image.put(group.always)
            group.needs.write(to: &image)
            image.put(group.isEmpty ? 1 : 0)
        }
        image.put(evals.count)
        for (rule, call) in evals {
            image.put(rule)
            image.put(
                TextTable([call.area, call.function].map { Array($0.utf8) } + call.arguments.map { Array($0.utf8) }))
        }
        image.put(metas)
        image.put(metaEnds)
        program.write(to: &image)
        settings.write(to: &image)
        image.put(problems.count)
        for problem in problems {
            image.put(problem.file)
            image.put(problem.line)
            image.put(problem.reason)
        }
        tables.write(to: &image)
        return image.bytes
    }

    /// Nil when the bytes are no image.
    package convenience init?(image: RuleImageBytes) {
        var reader = RuleImageReader(image)
        do throws(RuleImageError) {
            try self.init(reading: &reader)
        } catch {
            return nil
        }
    }

    private init(reading image: inout RuleImageReader) throws(RuleImageError) {
        names = try image.texts()
        defaults = try image.texts()
        evalAreas = try image.texts()
        descriptions = try image.storedTexts()
        patterns = try image.storedTexts()
        kinds = try image.int32s()
        flags = try image.int32s()
        options = try image.int32s()
        maximumHits = try image.int32s()
        priorities = try image.int32s()
        hasEnds = RulePlan.hasEnds(flags)
        subjectOf = try image.int32s()
        points = try image.doubles()
        let count = names.count
        let tables = [descriptions.count, patterns.count, defaults.count, evalAreas.count]
        let columns = [
            kinds.count, flags.count, options.count, maximumHits.count, priorities.count, subjectOf.count,
            points.count / 4,
        ]
        guard (tables + columns).allSatisfy({ $0 == count }), points.count == count * 4 else { throw RuleImageError() }
        let subjectTexts = try image.texts()
        subjects = (0..<subjectTexts.count).map { HeaderSubject(image: subjectTexts.text($0)) }
        headers = try image.places(below: count)
        mimeHeaders = try image.places(below: count)
        for (rule, subject) in subjectOf.enumerated() {
            let isHeader = [RuleKind.header, .exists, .mimeHeader].map(\.rawValue).contains(kinds[rule])
            guard !isHeader || (subject >= 0 && Int(subject) < subjects.count) else { throw RuleImageError() }
        }
        headerNeeds = try RequirementIndex(from: &image, owners: count)
        body = try RulePlan.group(&image, count)
        rawBody = try RulePlan.group(&image, count)
        uri = try RulePlan.group(&image, count)
        full = try RulePlan.group(&image, count)
        var evals: [(rule: Int, call: EvalCall)] = []
        for _ in 0..<(try image.int()) {
            let rule = try image.int()
            let texts = try image.texts()
            guard rule < count, texts.count >= 2 else { throw RuleImageError() }
            let arguments = (2..<texts.count).map { texts.text($0) }
            evals.append((rule, EvalCall(area: texts.text(0), function: texts.text(1), arguments: arguments)))
        }
        self.evals = evals
        metas = try image.places(below: count)
        metaEnds = try image.int32s()
        program = try MetaProgram(from: &image, rules: count)
        var last: Int32 = 0
        for end in metaEnds {
            guard end >= last, Int(end) <= program.count else { throw RuleImageError() }
            last = end
        }
        guard metaEnds.count == metas.count else { throw RuleImageError() }
        settings = try RuleSettings(from: &image)
        var problems: [RuleProblem] = []
        for _ in 0..<(try image.int()) {
            problems.append(RuleProblem(file: try image.string(), line: try image.int(), reason: try image.string()))
        }
        self.problems = problems
        self.tables = try ListTables(settings, &image)
        guard image.isAtEnd else { throw RuleImageError() }
        expressions = ExpressionStore(count: count)
    }

    private static func group(_ image: inout RuleImageReader, _ count: Int) throws(RuleImageError) -> Group {
        Group(
            always: try image.places(below: count), needs: try RequirementIndex(from: &image, owners: count),
            isEmpty: try image.int() == 1)
    }
}
