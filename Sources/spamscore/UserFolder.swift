import Bytes
import CommandLineTool
import Glibc
import SpamClassifier
import Unix

/// What one person has of their own: rules and learned weights.
struct UserFolder: Sendable {
    /// Nil when nobody knows where home is.
    let path: String?
    /// Named on the command line.
    private let weightFile: String?

    init(_ arguments: Arguments) {
        weightFile = arguments[SpamscoreOptions.weights]
        if let named = arguments[SpamscoreOptions.userFolder] {
            path = named
        } else if let base = UserFolder.environment("XDG_CONFIG_HOME") {
            path = "\(base)/facteur"
        } else {
            path = UserFolder.environment("HOME").map { "\($0)/.config/facteur" }
        }
    }

    /// Another one's.
    init(path: String?, weights: String? = nil) {
        self.path = path
        weightFile = weights
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Whether it is known where weights would be.
    var hasPlace: Bool { weightFile != nil || path != nil }

    /// The file of learned weights.
    func weights() throws(ToolFailure) -> String {
        if let weightFile { return weightFile }
        guard let path else { throw ToolFailure(.usage, "--weights: name the file, because HOME is not set") }
        return "\(path)/learned.weights"
    }

    /// Opens the weights; nil when nothing was learned yet, unless the file was named. A server may name one that it
    /// will learn into.
    func openWeights(mustExist: Bool, isServing: Bool = false) throws(ToolFailure) -> LearnedWeights? {
        if !hasPlace, !mustExist { return nil }
        let file = try weights()
        if weightFile == nil || isServing, !mustExist, !Files.exists(file) { return nil }
        do throws(WeightFileError) {
            return try LearnedWeights(file)
        } catch {
            throw UserFolder.failure(file, error)
        }
    }

    static func failure(_ file: String, _ error: WeightFileError) -> ToolFailure {
        let code: ExitCode
        switch error {
        case .system(_, let number): code = SystemError(code: number, operation: "read").exitCode
        case .unusable: code = .dataError
        case .busy: code = .temporaryFailure
        case .digest: code = .osError
        }
        return ToolFailure(code, "\(TerminalText.escape(file)): \(error)")
    }

    /// What failed when a file of weights was to be learned into: one that cannot be made where it belongs is 73.
    static func learningFailure(_ file: String, _ error: WeightFileError) -> ToolFailure {
        guard case .system(let reason, let code) = error else { return failure(file, error) }
        let advice: String
        switch code {
        case ENOENT, ENOTDIR: advice = "make its folder, or name another file"
        case EISDIR: advice = "name a file in it"
        default: return failure(file, error)
        }
        return ToolFailure(.cannotCreate, "\(TerminalText.escape(file)): \(reason): \(advice)")
    }

    /// One's own rules: the .cf files in the order of their names, and user_prefs.
    func rules() -> [String] {
        guard let path, let names = try? Files.names(inDirectory: path) else { return [] }
        let own = names.map(PathText.text).filter { $0.hasSuffix(".cf") }.sorted()
        return (own + (names.contains(Array("user_prefs".utf8)) ? ["user_prefs"] : [])).map { "\(path)/\($0)" }
    }
}
