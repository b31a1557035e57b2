import Bytes
import SMTP
import Unix

/// Domains whose mail alone a run of the queue is for (RFC 1985 5): `example.org`, or `@example.org` with all that is
/// below it.
package struct QueueDomains: Sendable, Equatable {
    private struct Name: Equatable {
        let text: String
        let includesSubdomains: Bool
    }

    private let names: [Name]

    /// Reads names of domains, each with an `@` before it or without; nil when one cannot be a domain.
    package init?(_ texts: [String]) {
        var names: [Name] = []
        for text in texts {
            let includesSubdomains = text.hasPrefix("@")
            let name = includesSubdomains ? String(text.dropFirst()) : text
            guard Path(mailbox: "x@\(name)") != nil else { return nil }
            names.append(Name(text: name.asciiLowercased, includesSubdomains: includesSubdomains))
        }
        self.names = names
    }

    /// No domain is named: all are meant.
    package var isEmpty: Bool { names.isEmpty }

    /// Whether mail for the forward-path `path`, without angle brackets, is meant.
    package func contains(_ path: String) -> Bool {
        if names.isEmpty { return true }
        guard let at = path.lastIndex(of: "@") else { return false }
        let domain = String(path[path.index(after: at)...]).asciiLowercased
        return names.contains { name in
            domain == name.text || (name.includesSubdomains && domain.hasSuffix(".\(name.text)"))
        }
    }
}

extension Queue {
    /// Whether a message waits for a recipient in one of these domains. Blocks.
    package func hasWaiting(for domains: QueueDomains) throws(SystemError) -> Bool {
        for id in try identifiers() {
            guard case .open(let entry)? = try? QueueEntry.open(id, in: self, locking: false) else { continue }
            if entry.recipients.contains(where: { $0.status == .waiting && domains.contains($0.path) }) { return true }
        }
        return false
    }
}
