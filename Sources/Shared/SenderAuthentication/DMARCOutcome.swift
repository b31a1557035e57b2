import DNS

/// How the organizational domain is found.
package enum DMARCAlgorithm: Sendable {
    /// By the tree walk of the DNS.
    case rfc9989
    /// By the public suffix list; by the tree walk when there is none.
    case rfc7489(PublicSuffixList?)
}

/// What DMARC says of a message (RFC 9989 5.4).
package struct DMARCOutcome: Sendable {
    package enum Verdict: String, Sendable {
        case none, pass, fail, temperror, permerror
    }

    /// How the organizational domain was found.
    package enum Method: String, Sendable {
        case library = "psl"
        case list
        case treeWalk = "tree-walk"
    }

    package internal(set) var verdict = Verdict.none
    /// The domain of From; nil when there is not exactly one.
    package let domain: String?
    package internal(set) var organizational: String?
    package internal(set) var organizationalBy: Method?
    /// The record that speaks for the domain, as it is written, and where it stands.
    package internal(set) var record: String?
    package internal(set) var recordDomain: String?
    /// The policy that applies to the domain: `p`, `sp` or `np`.
    package internal(set) var policy: DMARCPolicy?
    /// What is to be done with the message: the policy when it fails, one step weaker when the domain is testing.
    package internal(set) var disposition = DMARCPolicy.none
    /// `spf`, `dkim`: what aligns and passes.
    package internal(set) var alignedBy: [String] = []
    package internal(set) var reason: String?

    init(domain: String?) { self.domain = domain }
}
