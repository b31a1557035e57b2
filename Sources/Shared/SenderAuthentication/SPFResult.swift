/// What SPF says of a client and a domain (RFC 7208 2.6).
package enum SPFResult: String, Sendable, CaseIterable {
    case none, neutral, pass, fail, softfail, temperror, permerror
}

/// Why a record is none, with the term that is wrong.
package struct SPFSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The term as it is written; what is not ASCII stands as `?`.
    package let term: String
    package let problem: String

    init(_ term: some Sequence<UInt8>, _ problem: String) {
        self.term = spfText(term)
        self.problem = problem
    }

    package var description: String { term.isEmpty ? problem : "\(term): \(problem)" }
}

/// Bytes of a record as text: what is not printable ASCII becomes `?`.
func spfText(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: bytes.map { $0 < 0x20 || $0 > 0x7E ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
}
