import Bytes
import CommandLineTool
import Glibc
import SpamRules
import Unix

/// Finds and reads the rules.
enum RuleFiles {
    /// The rules, made ready to run: by the cache when the files are those that it was made of.
    static func plan(
        _ arguments: Arguments, _ folder: UserFolder, isCached: Bool = true
    ) throws(ToolFailure) -> RulePlan {
        let files = try files(arguments, folder)
        let cache = isCached ? RuleCache(files) : nil
        if let plan = cache?.plan() { return plan }
        let set = try read(files)
        let plan = RulePlan(set)
        cache?.store(plan, included: set.included)
        return plan
    }

    /// The rules as they are written.
    static func set(_ arguments: Arguments, _ folder: UserFolder) throws(ToolFailure) -> RuleSet {
        try read(try files(arguments, folder))
    }

    /// The files in the order in which they are read: what .pre files say of plugins holds for all .cf files, wherever
    /// either lie, and one's own come last.
    static func files(_ arguments: Arguments, _ folder: UserFolder) throws(ToolFailure) -> [String] {
        let named = arguments[SpamscoreOptions.rules]
        var files: [String] = []
        for path in try named.isEmpty ? [standard()] : named { files += try contents(path) }
        return files.filter { $0.hasSuffix(".pre") } + files.filter { !$0.hasSuffix(".pre") } + folder.rules()
    }

    /// Bytes of a file.
    private static let limit = 64 << 20

    private static func read(_ files: [String]) throws(ToolFailure) -> RuleSet {
        var set = RuleSet()
        for file in files {
            do throws(SystemError) {
                set.read(try Files.read(file, limit: limit), file: file) { try? Files.read($0, limit: limit) }
            } catch {
                throw ToolFailure(.noInput, "\(TerminalText.escape(file)): cannot be read: \(error.reason)")
            }
        }
        return set
    }

    /// The .pre and .cf files of a folder in the order of their names, or the file itself.
    private static func contents(_ path: String) throws(ToolFailure) -> [String] {
        guard Files.isDirectory(path) else { return [path] }
        let files: [String]
        do throws(SystemError) {
            let names = try Files.names(inDirectory: path).map(PathText.text)
            files = names.filter { $0.hasSuffix(".cf") || $0.hasSuffix(".pre") }.sorted()
        } catch {
            throw ToolFailure(.noInput, "\(TerminalText.escape(path)): cannot be read: \(error.reason)")
        }
        guard !files.isEmpty else {
            throw ToolFailure(.noInput, "\(TerminalText.escape(path)): no rules in it: name a folder of .cf files")
        }
        return files.map { "\(path)/\($0)" }
    }

    /// `share/facteur/spam.cf` beside the folder of the program, or `share/spam.cf` of a checkout.
    private static func standard() throws(ToolFailure) -> String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let program = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var folder = Files.parent(of: program)
        var candidates = folder.map { ["\($0)/../share/facteur/spam.cf"] } ?? []
        // A build folder lies a few levels below the checkout.
        for _ in 0..<4 {
            folder = folder.flatMap { Files.parent(of: $0) }
            if let folder { candidates.append("\(folder)/share/spam.cf") }
        }
        if let found = candidates.first(where: { Files.exists($0) }) { return found }
        throw ToolFailure(.noInput, "the standard rules are not installed: name rules with --rules")
    }
}
