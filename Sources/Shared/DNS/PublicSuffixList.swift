import Bytes
import Unix

/// Which part of a name its owner registered, by the public suffix list: of the system's libpsl, or of the file of the
/// package publicsuffix.
package struct PublicSuffixList: Sendable {
    package enum Source: String, Sendable {
        case library = "psl"
        case file = "list"
    }

    private enum Rules: Sendable {
        case library(Library)
        case file(Set<[UInt8]>)
    }

    package let source: Source
    private let rules: Rules

    /// The list that this system has; nil when it has none.
    package static let system: PublicSuffixList? = PublicSuffixList()

    private init?() {
        if let library = Library() {
            rules = .library(library)
            source = .library
        } else if let text = try? Files.read(PublicSuffixList.path, limit: 16 << 20) {
            rules = .file(PublicSuffixList.rules(text))
            source = .file
        } else {
            return nil
        }
    }

    /// Takes the text of a list in place of the system's.
    package init(text: [UInt8]) {
        rules = .file(PublicSuffixList.rules(text))
        source = .file
    }

    private static let path = "/usr/share/publicsuffix/public_suffix_list.dat"

    /// The suffix and one label before it; nil for a name that is itself a suffix. `name` is in lower case, A-labels.
    package func registrableDomain(of name: String) -> String? {
        switch rules {
        case .library(let library): library.registrableDomain(of: name)
        case .file(let rules): PublicSuffixList.registrableDomain(of: name, rules)
        }
    }

    // MARK: The file

    /// Rules as A-labels, `*.` and `!` in front as they are written.
    private static func rules(_ text: [UInt8]) -> Set<[UInt8]> {
        var rules: Set<[UInt8]> = []
        for line in text.split(separator: ASCII.lf) {
            let word = line.prefix { !$0.isMailWhitespace }
            if word.isEmpty || word.starts(with: "//".utf8) { continue }
            if word.allSatisfy({ $0 < 0x80 }) {
                rules.insert(word.map(\.asciiLowercased))
            } else if let ascii = try? InternationalName.ascii(word.text) {
                rules.insert(Array(ascii.utf8))
            }
        }
        return rules
    }

    /// The algorithm of the list: the longest rule counts, an exception before all, `*` when there is none.
    private static func registrableDomain(of name: String, _ rules: Set<[UInt8]>) -> String? {
        let labels = Array(name.utf8).split(separator: ASCII.dot)
        guard labels.count <= 127 else { return nil }
        func joined(_ labels: ArraySlice<ArraySlice<UInt8>>) -> [UInt8] { Array(labels.joined(separator: [ASCII.dot])) }
        var suffixCount = 1
        for start in labels.indices {
            let rest = joined(labels[start...])
            if rules.contains([UInt8(ascii: "!")] + rest) {
                suffixCount = labels.count - start - 1
                break
            }
            let wildcard = [ASCII.asterisk, ASCII.dot] + joined(labels[(start + 1)...])
            if rules.contains(rest) || (start + 1 < labels.count && rules.contains(wildcard)) {
                suffixCount = labels.count - start
                break
            }
        }
        return labels.count > suffixCount ? joined(labels.suffix(suffixCount + 1)).text : nil
    }

    // MARK: The library

    private struct Library: Sendable {
        typealias Latest = @convention(c) (UnsafePointer<CChar>?) -> OpaquePointer?
        typealias Registrable =
            @convention(c) (OpaquePointer?, UnsafePointer<CChar>) -> UnsafePointer<CChar>?

        /// The address of the list, which lives as long as the process.
        private let list: UInt
        private let registrable: Registrable

        init?() {
            guard let library = LoadedLibrary(["libpsl.so.5", "libpsl.so"]),
                let latest = library.symbol("psl_latest", as: Latest.self),
                let registrable = library.symbol("psl_registrable_domain", as: Registrable.self),
                let list = latest(nil)
            else { return nil }
            self.list = UInt(bitPattern: list)
            self.registrable = registrable
        }

        func registrableDomain(of name: String) -> String? {
            // The answer points into `name`'s copy, which lives during the closure.
            name.withCString { text in
                registrable(OpaquePointer(bitPattern: list), text).map { String(cString: $0) }
            }
        }
    }
}
