/// How a domain's policy was read for one client: its record, and what each term came to, in order.
package struct SPFTrace: Sendable {
    package let domain: String
    /// The record as it is written; nil when there is none, or several.
    package internal(set) var record: String?
    package internal(set) var result = SPFResult.none
    /// The term that made the result, as it is written; nil when none did.
    package internal(set) var mechanism: String?
    /// The record in which that term stands: another domain's after `redirect`.
    package internal(set) var decidingRecord: String?
    /// Why the result is `temperror`, `permerror` or `none`.
    package internal(set) var problem: String?
    /// The terms that were looked at, `redirect` last.
    package internal(set) var terms: [SPFTraceTerm] = []

    /// The text of `exp` with the domain that it belongs to.
    var explanation: (text: SPFMacroString, domain: SPFDomain)?

    init(domain: String) { self.domain = domain }
}

/// A term that was looked at.
package struct SPFTraceTerm: Sendable {
    package enum Outcome: String, Sendable {
        case match, noMatch, temperror, permerror
    }

    /// As it is written.
    package let text: String
    /// The name that was asked for, its macros replaced; nil for terms without one.
    package internal(set) var target: String?
    package internal(set) var outcome = Outcome.noMatch
    /// How many of the ten queries it took, with those of the policies in it.
    package internal(set) var lookups = 0
    /// How many of its queries found nothing.
    package internal(set) var void = 0
    /// The policies that `include` or `redirect` led to: none or one.
    package internal(set) var nested: [SPFTrace] = []
    /// Why the outcome is an error, or what is odd.
    package internal(set) var note: String?

    init(text: String) { self.text = text }
}

/// What came out of one check (RFC 7208 2.6, 8).
package struct SPFOutcome: Sendable {
    /// Whose policy was asked for.
    package enum Identity: String, Sendable {
        case mailFrom = "mailfrom"
        case helo
    }

    package let result: SPFResult
    package let identity: Identity
    /// The domain that was checked, as it was given.
    package let domain: String
    /// The sender that macros spoke of: `local-part@domain`.
    package let sender: String
    /// The term that decided, as it is written.
    package let mechanism: String?
    /// The record that it stands in; the domain's own when no term decided.
    package let record: String?
    /// What the domain says to a client that fails: one line of printable ASCII; nil when it says nothing.
    package let explanation: String?
    /// Terms that query the DNS (RFC 7208 4.6.4), at most 10.
    package let lookups: Int
    /// Of them, those that found nothing, at most 2.
    package let void: Int
    /// Why there is no better result.
    package let problem: String?
    package let trace: SPFTrace
}
