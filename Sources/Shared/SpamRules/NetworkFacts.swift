/// A question that a rule has for the DNS.
package struct NetworkQuestion: Hashable, Sendable {
    package enum Kind: String, Sendable {
        case address, text, exchange, nameServer
        /// The name of an address; `name` is the address as it is written.
        case reverse
    }

    package let name: String
    package let kind: Kind

    package init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// Who handed the message to a relay of ours, for SPF.
package struct SenderQuestion: Hashable, Sendable {
    /// As it is written.
    package let address: String
    /// The sender of the envelope; empty is the null one, nil is not known.
    package let mailFrom: String?
    package let helo: String
}

/// What was found out about who sent a message: SPF, DKIM, ARC, DMARC.
package struct SenderFindings: Sendable {
    /// A result in the words of RFC 8601, and why.
    package struct Result: Sendable {
        package let word: String
        package let reason: String

        package init(_ word: String, _ reason: String) {
            self.word = word
            self.reason = reason
        }
    }

    package struct Signature: Sendable {
        /// In lower case.
        package let domain: String
        package let isValid: Bool
        package let isTesting: Bool
        package let reason: String

        package init(domain: String, isValid: Bool, isTesting: Bool, reason: String) {
            self.domain = domain
            self.isValid = isValid
            self.isTesting = isTesting
            self.reason = reason
        }
    }

    /// What the owner of From's domain wants.
    package struct Policy: Sendable {
        /// `pass`, `fail`, `none` and so on.
        package let word: String
        /// The policy that applies: `none`, `quarantine`, `reject`; nil without a record.
        package let policy: String?
        package let reason: String

        package init(_ word: String, policy: String?, _ reason: String) {
            self.word = word
            self.policy = policy
            self.reason = reason
        }
    }

    package var spf: Result?
    package var helo: Result?
    package var signatures: [Signature] = []
    package var arc: Result?
    package var dmarc: Policy?

    package init() {}
}

/// What the network says of a message.
package struct NetworkFacts: Sendable {
    /// What was answered: addresses, texts, names; empty when there is nothing. What nobody could say is not there.
    package var answers: [NetworkQuestion: [String]] = [:]
    /// Nil when nothing was asked, or it is not known in time.
    package var sender: SenderFindings?
    /// What could not be found out.
    package var cut: [String] = []
    /// Whether anything was asked.
    package var isKnown = false

    package init() {}
}
