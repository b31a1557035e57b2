/// What of an option does not depend on its value's type: enough for parsing, help, man page and completions.
package struct OptionDeclaration: Sendable {
    /// Whether the option takes an argument.
    package enum Argument: Equatable, Sendable {
        case none
        case required(String)
        /// Only as `--name=VALUE`; the name for help.
        case optional(String)
    }

    /// What a shell may offer for the argument.
    package enum Completion: Equatable, Sendable {
        case nothing, file, directory
        case words([String])

        /// Whether the value is a path.
        var isPath: Bool { self == .file || self == .directory }
    }

    /// The long name without dashes.
    package let long: String
    package let short: Character?
    package let argument: Argument
    /// One line for people, without a full stop; what is the default belongs into it.
    package let help: String
    /// The heading that the option stands under.
    package let group: String
    package let completion: Completion

    /// `-s, --server ADDR`
    package var synopsis: String {
        let name =
            switch argument {
            case .none: "--\(long)"
            case .required(let value): "--\(long) \(value)"
            case .optional(let value): "--\(long)[=\(value)]"
            }
        return short.map { "-\($0), \(name)" } ?? "    \(name)"
    }
}

/// An option with the type of its value. Declared once, as a static constant of a tool; read by `arguments[option]`.
package struct Option<Value: Sendable>: Sendable {
    package let declaration: OptionDeclaration
    /// The value of an option that was not given.
    let fallback: Value
    /// Turns the arguments given, in their order (nil for a bare `--name`), to the value.
    let decode: @Sendable ([String?]) throws(OptionError) -> Value

    init(
        _ long: String, short: Character?, argument: OptionDeclaration.Argument, help: String, group: String,
        completion: OptionDeclaration.Completion = .nothing, fallback: Value,
        decode: @escaping @Sendable ([String?]) throws(OptionError) -> Value
    ) {
        declaration = OptionDeclaration(
            long: long, short: short, argument: argument, help: help, group: group, completion: completion)
        self.fallback = fallback
        self.decode = decode
    }
}

/// Why an option's argument is not accepted: a phrase that follows `--name VALUE:`.
package struct OptionError: Error, Equatable {
    package let problem: String
    package init(_ problem: String) { self.problem = problem }
}

/// An option of any value type, as a tool's list of options holds it.
package struct AnyOption: Sendable {
    package let declaration: OptionDeclaration
    let decode: @Sendable ([String?]) throws(OptionError) -> any Sendable

    package init<Value>(_ option: Option<Value>) {
        declaration = option.declaration
        decode = { given throws(OptionError) in try option.decode(given) }
    }
}

extension Option where Value == Bool {
    /// Off unless given.
    package static func flag(_ long: String, short: Character? = nil, _ help: String, group: String) -> Option {
        Option(long, short: short, argument: .none, help: help, group: group, fallback: false) { _ in true }
    }
}

extension Option where Value == String? {
    /// Any text; the last one given counts.
    package static func text(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String,
        completion: OptionDeclaration.Completion = .nothing
    ) -> Option {
        Option(
            long, short: short, argument: .required(argument), help: help, group: group, completion: completion,
            fallback: nil
        ) { $0.last ?? nil }
    }

    /// `--name` or `--name=VALUE`: nil when not given, empty when given bare.
    package static func optionalText(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String,
        choices: [String] = []
    ) -> Option {
        Option(
            long, short: short, argument: .optional(argument), help: help, group: group,
            completion: choices.isEmpty ? .nothing : .words(choices), fallback: nil
        ) { given throws(OptionError) in
            guard let last = given.last, let value = last else { return "" }
            guard choices.isEmpty || choices.contains(value) else {
                throw OptionError("must be \(choices.joined(separator: " or "))")
            }
            return value
        }
    }
}

extension Option where Value == String {
    /// One of some words.
    package static func choice(
        _ long: String, short: Character? = nil, _ choices: [String], default fallback: String, _ help: String,
        group: String
    ) -> Option {
        Option(
            long, short: short, argument: .required(choices.joined(separator: "|")), help: help, group: group,
            completion: .words(choices), fallback: fallback
        ) { given throws(OptionError) in
            guard let last = given.last, let value = last, choices.contains(value) else {
                throw OptionError("must be one of \(choices.joined(separator: ", "))")
            }
            return value
        }
    }
}

extension Option where Value == [String] {
    /// Repeatable; every argument given, in order. With `separator`, each may hold several.
    package static func list(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String,
        separator: Character? = nil, completion: OptionDeclaration.Completion = .nothing
    ) -> Option {
        Option(
            long, short: short, argument: .required(argument), help: help, group: group, completion: completion,
            fallback: []
        ) { given in
            let given = given.compactMap { $0 }
            guard let separator else { return given }
            return given.flatMap { $0.split(separator: separator).map(String.init) }
        }
    }
}

extension Option where Value == Int? {
    /// A whole number within `range`; nil when not given.
    package static func integer(
        _ long: String, short: Character? = nil, _ argument: String, in range: ClosedRange<Int>, _ help: String,
        group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: nil) {
            given throws(OptionError) in try OptionValue.integer(given, range)
        }
    }

    /// A number of bytes: `1000`, `64K`, `10M`, `2G` (powers of 1024); nil when not given.
    package static func size(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: nil) {
            given throws(OptionError) in try OptionValue.size(given)
        }
    }
}

extension Option where Value == Int {
    /// A whole number within `range`.
    package static func integer(
        _ long: String, short: Character? = nil, _ argument: String, in range: ClosedRange<Int>,
        default fallback: Int, _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: fallback) {
            given throws(OptionError) in try OptionValue.integer(given, range)
        }
    }

    /// A number of bytes: `1000`, `64K`, `10M`, `2G` (powers of 1024).
    package static func size(
        _ long: String, short: Character? = nil, _ argument: String, default fallback: Int,
        _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: fallback) {
            given throws(OptionError) in try OptionValue.size(given)
        }
    }

    /// How many times the flag was given.
    package static func count(_ long: String, short: Character? = nil, _ help: String, group: String) -> Option {
        Option(long, short: short, argument: .none, help: help, group: group, fallback: 0) { $0.count }
    }
}

extension Option where Value == Duration {
    /// A length of time: seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
    package static func duration(
        _ long: String, short: Character? = nil, _ argument: String, default fallback: Duration,
        _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: fallback) {
            given throws(OptionError) in try OptionValue.duration(given)
        }
    }
}

extension Option where Value == Duration? {
    /// A length of time: seconds, or a number with `ms`, `s`, `m`, `h` or `d`; nil when not given.
    package static func duration(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: nil) {
            given throws(OptionError) in try OptionValue.duration(given)
        }
    }
}

extension Option where Value == Double? {
    /// A decimal number; nil when not given.
    package static func number(
        _ long: String, short: Character? = nil, _ argument: String, _ help: String, group: String
    ) -> Option {
        Option(long, short: short, argument: .required(argument), help: help, group: group, fallback: nil) {
            given throws(OptionError) in
            guard let last = given.last, let text = last, let value = Double(text), value.isFinite else {
                throw OptionError("must be a number")
            }
            return value
        }
    }
}
