import CommandLineTool
import DNS
import Unix

/// A line with places for what was found: `{domain}\t{host}`.
struct Template: Sendable {
    private enum Field: String, CaseIterable {
        case domain, ascii, status, ttl, secure, server, ms, preference, host, addresses, hosts, error
    }

    private enum Part: Sendable {
        case text(String)
        case field(Field)
    }

    private var parts: [Part] = []

    /// Reads a template: fields in braces, `\t`, `\n`, `\\`, `\{`.
    init(_ source: String) throws(ToolFailure) {
        var rest = source[...]
        var text = ""
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                switch rest.popFirst() {
                case "t": text += "\t"
                case "n": text += "\n"
                case "r": text += "\r"
                case let other?: text.append(other)
                case nil: text += "\\"
                }
            case "{":
                guard let end = rest.firstIndex(of: "}") else {
                    throw ToolFailure(.usage, "--format: a { has no }: write \\{ for the character itself")
                }
                guard let field = Field(rawValue: String(rest[..<end])) else {
                    let known = Field.allCases.map { "{\($0.rawValue)}" }.joined(separator: " ")
                    let name = TerminalText.escape(String(rest[..<end]))
                    throw ToolFailure(.usage, "--format: {\(name)} is not known: use \(known)")
                }
                if !text.isEmpty { parts.append(.text(text)) }
                text = ""
                parts.append(.field(field))
                rest = rest[rest.index(after: end)...]
            default: text.append(character)
            }
        }
        if !text.isEmpty { parts.append(.text(text)) }
    }

    /// The line for an answer; what is not known is empty.
    func line(_ lookup: Lookup) -> String {
        var line = ""
        for part in parts {
            switch part {
            case .text(let text): line += text
            case .field(let field): line += TerminalText.escape(value(field, lookup))
            }
        }
        return line
    }

    private func value(_ field: Field, _ lookup: Lookup) -> String {
        let route = lookup.route
        switch field {
        case .domain: return route.domain
        case .ascii: return route.ascii ?? ""
        case .status: return route.status.rawValue
        case .ttl: return route.ttl.map { "\($0)" } ?? ""
        case .secure: return "\(route.isAuthenticated)"
        case .server: return route.server ?? ""
        case .ms: return DecimalText.format(lookup.milliseconds, decimals: 1)
        case .preference: return route.best.map { "\($0.preference)" } ?? ""
        case .host: return route.best?.name ?? ""
        case .addresses: return route.best?.addresses.map(\.description).joined(separator: ",") ?? ""
        case .hosts: return route.hosts.map { "\($0.preference) \($0.name)" }.joined(separator: ",")
        case .error: return route.failure?.description ?? route.problem ?? ""
        }
    }
}
