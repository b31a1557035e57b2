import Bytes
import Unix

/// A parsed command line: the options' values by their declarations, and the operands.
package struct Arguments: Sendable {
    private var values: [String: any Sendable] = [:]
    private var given: [String: [String?]] = [:]
    /// What is not an option, in order; `-` is an operand.
    package private(set) var operands: [String] = []

    /// The value of an option; its default when it was not given.
    package subscript<Value>(option: Option<Value>) -> Value {
        values[option.declaration.long] as? Value ?? option.fallback
    }

    /// Whether the option was given at all.
    package func isGiven<Value>(_ option: Option<Value>) -> Bool { given[option.declaration.long] != nil }

    /// The same, but with another value of an option.
    package func setting<Value>(_ option: Option<Value>, to value: Value) -> Arguments {
        var arguments = self
        arguments.values[option.declaration.long] = value
        return arguments
    }

    /// Reads a command line as getopt_long(3) does: bundled short options, `--name=value`, `--name value`, `--` ends
    /// the options, `-` is an operand, options and operands in any order. Prefixes of names are not accepted.
    package init(parsing words: [String], options: [AnyOption]) throws(ToolFailure) {
        let parser = CommandLineParser(options)
        let parsed = try parser.parse(words)
        operands = parsed.operands
        var occurrences = parsed.occurrences
        if let path = occurrences.last(where: { $0.name == StandardOptions.config.declaration.long })?.value {
            // What the command line says comes after the file, so that it wins.
            occurrences = try parser.parseConfiguration(path: path) + occurrences
        }
        for occurrence in occurrences { given[occurrence.name, default: []].append(occurrence.value) }
        for option in options {
            let name = option.declaration.long
            guard var arguments = given[name] else { continue }
            // What is no path is text.
            if !option.declaration.completion.isPath { arguments = arguments.map { $0.map(PathText.repaired) } }
            do throws(OptionError) {
                values[name] = try option.decode(arguments)
            } catch {
                let argument = (arguments.last ?? nil).map { " \(TerminalText.escape($0))" } ?? ""
                throw ToolFailure(.usage, "--\(name)\(argument): \(error.problem)")
            }
        }
    }
}

/// One option as it stood on the command line or in a configuration file.
struct OptionOccurrence {
    let name: String
    let value: String?
}

/// Splits words into options and operands by the declarations.
struct CommandLineParser {
    private var long: [String: OptionDeclaration] = [:]
    private var short: [Character: OptionDeclaration] = [:]

    init(_ options: [AnyOption]) {
        for option in options {
            long[option.declaration.long] = option.declaration
            if let letter = option.declaration.short { short[letter] = option.declaration }
        }
    }

    func parse(_ words: [String]) throws(ToolFailure) -> (occurrences: [OptionOccurrence], operands: [String]) {
        var occurrences: [OptionOccurrence] = []
        var operands: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                operands += rest
                break
            }
            if word.hasPrefix("--") {
                occurrences.append(try parseLong(word.dropFirst(2), &rest))
            } else if word.hasPrefix("-"), word != "-" {
                try parseShort(word.dropFirst(), &rest, &occurrences)
            } else {
                operands.append(word)
            }
        }
        return (occurrences, operands)
    }

    private func parseLong(
        _ word: Substring, _ rest: inout ArraySlice<String>
    ) throws(ToolFailure) -> OptionOccurrence {
        var parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if let (name, value) = optionalValue(String(word)) { parts = [name, value] }
        let name = parts.first ?? ""
        guard let declaration = long[name] else { throw unknown("--\(name)") }
        var value = parts.count == 2 ? parts[1] : nil
        switch declaration.argument {
        case .none:
            if value != nil { throw ToolFailure(.usage, "--\(name): takes no argument") }
        case .optional:
            break
        case .required(let placeholder):
            if value == nil { value = rest.popFirst() }
            if value == nil { throw ToolFailure(.usage, "--\(name): needs an argument: \(placeholder)") }
        }
        return OptionOccurrence(name: name, value: value)
    }

    /// `--name,value` is `--name=value` for an option whose value may be left out.
    private func optionalValue(_ word: String) -> (name: String, value: String)? {
        let parts = word.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, case .optional = long[parts[0]]?.argument else { return nil }
        return (parts[0], parts[1])
    }

    private func parseShort(
        _ letters: Substring, _ rest: inout ArraySlice<String>, _ occurrences: inout [OptionOccurrence]
    ) throws(ToolFailure) {
        var letters = letters
        while let letter = letters.popFirst() {
            guard let declaration = short[letter] else { throw unknown("-\(letter)") }
            var value: String?
            if case .required(let placeholder) = declaration.argument {
                value = letters.isEmpty ? rest.popFirst() : String(letters)
                letters = ""
                if value == nil { throw ToolFailure(.usage, "-\(letter): needs an argument: \(placeholder)") }
            }
            occurrences.append(OptionOccurrence(name: declaration.long, value: value))
        }
    }

    /// A configuration file: one long option a line without dashes, `name`, `name value` or `name=value`; `#` begins
    /// a comment line.
    func parseConfiguration(path: String) throws(ToolFailure) -> [OptionOccurrence] {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: 1 << 20)
        } catch {
            throw ToolFailure(.configuration, "\(TerminalText.escape(path)): \(error.reason)")
        }
        var occurrences: [OptionOccurrence] = []
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let text = line.text.trimmingASCIIWhitespace()
            if text.isEmpty || text.hasPrefix("#") { continue }
            let place = "\(TerminalText.escape(path)):\(index + 1)"
            let end = text.firstIndex { $0 == "=" || $0 == " " || $0 == "\t" } ?? text.endIndex
            var name = String(text[..<end])
            var value: String? = text[end...].isEmpty ? nil : String(text[end...]).trimmingASCIIWhitespace()
            if value == nil, let divided = optionalValue(name) { (name, value) = divided }
            if let rest = value, rest.hasPrefix("=") { value = String(rest.dropFirst()).trimmingASCIIWhitespace() }
            guard let declaration = long[name], name != StandardOptions.config.declaration.long else {
                throw ToolFailure(.configuration, "\(place): \(TerminalText.escape(name)): unknown option")
            }
            switch (declaration.argument, value) {
            case (.none, .some):
                throw ToolFailure(.configuration, "\(place): \(name): takes no argument")
            case (.required(let placeholder), .none):
                throw ToolFailure(.configuration, "\(place): \(name): needs an argument: \(placeholder)")
            default:
                occurrences.append(OptionOccurrence(name: name, value: value))
            }
        }
        return occurrences
    }

    private func unknown(_ option: String) -> ToolFailure {
        ToolFailure(.usage, "\(TerminalText.escape(option)): unknown option: --help lists them")
    }
}

extension String {
    /// Without spaces, tabs, CR and LF at both ends.
    package func trimmingASCIIWhitespace() -> String {
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !$0.isMailWhitespace }),
            let last = bytes.lastIndex(where: { !$0.isMailWhitespace })
        else { return "" }
        return bytes[first...last].text
    }
}
