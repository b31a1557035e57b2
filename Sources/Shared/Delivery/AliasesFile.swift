import Bytes
import Unix

/// Aliases as sendmail's aliases(5) has them: `name: target, target`, continued on lines that begin with white space;
/// `#` begins a comment line. A target is an address or a local name, `/a/file` (an mbox) or `/a/directory/` (a Maildir),
/// `|program`, or `:include:/a/file` with targets, one a line. `@domain` and `*` as names catch what nothing else does.
package struct AliasesFile: Sendable, Equatable {
    package enum Target: Sendable, Equatable {
        /// An address, or a local name without a domain.
        case address(String)
        /// As `address`, and no further alias is looked up for it (`\name`).
        case finalName(String)
        case place(DeliveryTarget)
    }

    /// By name as `LocalRecipients.key(ofName:)` has it.
    package private(set) var aliases: [String: [Target]] = [:]

    /// - Parameter include: reads the file of an `:include:`.
    /// - Throws: `DeliveryFileError` with the line that cannot be read.
    package init(
        _ bytes: [UInt8],
        include: (String) throws(SystemError) -> [UInt8] = { path throws(SystemError) in
            try Files.read(path, limit: 64 << 20)
        }
    ) throws(DeliveryFileError) {
        for entry in AliasesFile.logicalLines(bytes) {
            do throws(DeliveryFileError.Problem) {
                try read(entry.text, include)
            } catch {
                throw DeliveryFileError(line: entry.number, problem: error.text)
            }
        }
    }

    /// The names of the targets, for EXPN.
    package func targets(of name: String) -> [Target]? { aliases[LocalRecipients.key(ofName: name)] }

    private static func logicalLines(_ bytes: [UInt8]) -> [(number: Int, text: String)] {
        var lines: [(number: Int, text: String)] = []
        for (index, line) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let text = line.text.trimmingWhitespace()
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            if line.first?.isSpaceOrTab ?? false, !lines.isEmpty {
                lines[lines.count - 1].text += " " + text
            } else {
                lines.append((index + 1, text))
            }
        }
        return lines
    }

    private mutating func read(
        _ line: String, _ include: (String) throws(SystemError) -> [UInt8]
    ) throws(DeliveryFileError.Problem) {
        let bytes = Array(line.utf8)
        var place = 0
        var name: String
        if bytes.first == ASCII.quote, let close = bytes.dropFirst().firstIndex(of: ASCII.quote) {
            name = bytes[1..<close].text
            place = close + 1
        } else {
            place = bytes.firstIndex(of: ASCII.colon) ?? bytes.count
            name = bytes[..<place].text
        }
        name = name.trimmingWhitespace()
        guard let colon = bytes[place...].firstIndex(of: ASCII.colon), !name.isEmpty else {
            throw .init("must be name: target, target")
        }
        var targets: [Target] = []
        for item in AliasesFile.items(bytes[(colon + 1)...]) {
            targets += try AliasesFile.targets(item, include, depth: 0)
        }
        guard !targets.isEmpty else { throw .init("\(name) has no target: name one, or remove the line") }
        let key = LocalRecipients.key(ofName: name)
        guard aliases[key] == nil else { throw .init("\(name) stands there twice: remove one of the lines") }
        aliases[key] = targets
    }

    private struct Item {
        var bytes: [UInt8] = []
        /// It has white space in it that is not in quotes.
        var isDivided = false
        private var endsWithSpace = false

        mutating func append(_ byte: UInt8, isQuoted: Bool) {
            if byte.isMailWhitespace, !isQuoted {
                endsWithSpace = !bytes.isEmpty
                if bytes.isEmpty { return }
            } else {
                if endsWithSpace { isDivided = true }
                endsWithSpace = false
            }
            bytes.append(byte)
        }

        var text: String { bytes.text.trimmingWhitespace() }
    }

    /// Divides at commas outside of quotes; the quotes around a whole item, or around a program, are taken away.
    private static func items(_ bytes: ArraySlice<UInt8>) -> [Item] {
        var items = [Item()]
        var isQuoted = false
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                items[items.count - 1].append(byte, isQuoted: true)
                isEscaped = false
            } else if byte == ASCII.backslash, isQuoted {
                isEscaped = true
            } else if byte == ASCII.quote {
                isQuoted.toggle()
            } else if byte == ASCII.comma, !isQuoted {
                items.append(Item())
            } else {
                items[items.count - 1].append(byte, isQuoted: isQuoted)
            }
        }
        return items.filter { !$0.text.isEmpty }
    }

    private static func targets(
        _ parsed: Item, _ include: (String) throws(SystemError) -> [UInt8], depth: Int
    ) throws(DeliveryFileError.Problem) -> [Target] {
        let item = parsed.text
        if item.asciiLowercased.hasPrefix(":include:") {
            guard depth < 8 else { throw .init("\(item): the file includes itself: remove that") }
            let path = String(item.dropFirst(9)).trimmingWhitespace()
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try include(path)
            } catch {
                throw .init("\(path): \(error.reason): name a file that can be read")
            }
            var targets: [Target] = []
            for line in bytes.split(separator: ASCII.lf) {
                let text = line.text.trimmingWhitespace()
                guard !text.isEmpty, !text.hasPrefix("#") else { continue }
                for inner in items(Array(text.utf8)[...]) {
                    targets += try AliasesFile.targets(inner, include, depth: depth + 1)
                }
            }
            return targets
        }
        if item.hasPrefix("|") {
            return [.place(.program(String(item.dropFirst()).trimmingWhitespace()))]
        }
        if item.hasPrefix("/") || item.hasPrefix("./") {
            return [.place(item.hasSuffix("/") ? .maildir(String(item.dropLast())) : .mbox(item))]
        }
        if parsed.isDivided { throw .init("\(item): a comma belongs between targets") }
        if item.hasPrefix("\\") { return [.finalName(String(item.dropFirst()))] }
        return [.address(item)]
    }
}
