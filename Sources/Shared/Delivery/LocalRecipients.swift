import Bytes
import DNS
import SMTP
import Unix

/// Who is local, and where whose mail goes.
package struct LocalRecipients: Sendable {
    /// Why a recipient is not taken.
    package enum Refusal: Error, Equatable, Sendable {
        /// A domain that is not local: relaying would be needed.
        case notLocal
        case noSuchUser
        /// A local-part that cannot be the name of a folder.
        case unusable
        /// Aliases that lead in a circle, or to too many deliveries.
        case aliasLoop
        /// An alias leads to another domain, and there is no queue.
        case cannotForward
    }

    /// How users without a delivery of their own get their mail.
    package enum Store: Sendable, Equatable {
        /// A Maildir each, `DIR/<local-part>/`.
        case maildirs(String)
        /// An mbox each, `DIR/<local-part>`.
        case mboxes(String)
        /// One program for all.
        case program(String)
    }

    private static let expansionLimit = 10_000

    private let store: Store
    /// Local domains as `key(ofDomain:)` has them; empty: every domain is local.
    private let domains: Set<String>
    /// Nil: every local-part is known.
    private let users: UsersFile?
    private let aliases: AliasesFile?
    private let canForward: Bool

    package init(
        store: Store, domains: [String] = [], users: UsersFile? = nil, aliases: AliasesFile? = nil,
        canForward: Bool = false
    ) {
        self.store = store
        self.domains = Set(domains.map(LocalRecipients.key(ofDomain:)))
        self.users = users
        self.aliases = aliases
        self.canForward = canForward
    }

    package func isLocal(_ path: Path) -> Bool {
        path.domain.isEmpty || domains.isEmpty || domains.contains(LocalRecipients.key(ofDomain: path.domain))
    }

    /// A domain as it is compared: in lower case, in its ASCII form (RFC 6531 3.2), an address literal in the usual
    /// spelling of its address.
    static func key(ofDomain domain: String) -> String {
        let lower = domain.asciiLowercased
        if lower.hasPrefix("[") {
            let text = lower.hasPrefix("[ipv6:") ? lower.dropFirst(6).dropLast() : lower.dropFirst().dropLast()
            return IPAddress(String(text)).map { "[\($0)]" } ?? lower
        }
        return (try? InternationalName.ascii(lower)) ?? lower
    }

    /// A name of a users or aliases file as it is compared.
    static func key(ofName name: String) -> String {
        guard let at = name.utf8.lastIndex(of: ASCII.at) else { return name.asciiLowercased }
        return String(name[..<at]).asciiLowercased + "@" + key(ofDomain: String(name[at...].dropFirst()))
    }

    /// Where the mail for a local recipient goes.
    ///
    /// Local-parts are compared without case here, as every system of mailboxes does; the sender's spelling is kept in
    /// the envelope (RFC 5321 2.4). A `+tag` is dropped when the whole is no known name.
    package func deliveries(for path: Path) throws(Refusal) -> [LocalDelivery] {
        guard isLocal(path) else { throw .notLocal }
        var expansion = Expansion()
        try expand(path, isFinal: false, into: &expansion)
        if expansion.deliveries.isEmpty { throw .aliasLoop }
        return expansion.deliveries
    }

    /// The addresses that an alias stands for, for EXPN; nil when the name is none.
    package func members(of path: Path) -> [String]? {
        guard let (_, targets, _) = alias(of: path) else { return nil }
        return targets.map { target in
            switch target {
            case .address(let text), .finalName(let text): text
            case .place(.mbox(let file)), .place(.maildir(let file)): file
            case .place(.program): "a program"
            case .place(.forward(let path)): "\(path)"
            }
        }
    }

    // MARK: Expanding

    private struct Expansion {
        var deliveries: [LocalDelivery] = []
        var seen: Set<LocalDelivery> = []
        /// Names on the way to here, and those done before.
        var visited: Set<String> = []

        mutating func add(_ delivery: LocalDelivery) throws(Refusal) {
            guard seen.insert(delivery).inserted else { return }
            guard deliveries.count < LocalRecipients.expansionLimit else { throw .aliasLoop }
            deliveries.append(delivery)
        }
    }

    private func expand(
        _ path: Path, isFinal: Bool, sender: Path? = nil, into expansion: inout Expansion
    ) throws(Refusal) {
        if !isFinal, let (name, targets, catchesAll) = alias(of: path) {
            let owner =
                aliases?.targets(of: "owner-\(name)") != nil
                ? Path(localPart: "owner-\(name)", domain: path.domain) : sender
            // A name that was expanded before is not again: `anna: anna, bob` keeps a copy for herself.
            if expansion.visited.insert("\(name)@\(LocalRecipients.key(ofDomain: path.domain))").inserted {
                for target in targets {
                    try expand(target, of: path, sender: owner, into: &expansion)
                }
                return
            }
            guard catchesAll || targets.contains(where: { AliasesFile.names($0, name) }) else { return }
        }
        var delivery = try user(path)
        delivery.sender = nil
        try expansion.add(delivery)
    }

    private func expand(
        _ target: AliasesFile.Target, of path: Path, sender: Path?, into expansion: inout Expansion
    ) throws(Refusal) {
        switch target {
        case .place(let place):
            var delivery = LocalDelivery(place, recipient: path)
            delivery.sender = sender
            try expansion.add(delivery)
        case .address(let text), .finalName(let text):
            guard let next = Path(mailbox: text) ?? LocalRecipients.local(text, path.domain) else { throw .unusable }
            var isFinal = false
            if case .finalName = target { isFinal = true }
            if isLocal(next) {
                return try expand(next, isFinal: isFinal, sender: sender, into: &expansion)
            }
            guard canForward else { throw .cannotForward }
            var delivery = LocalDelivery(.forward(next), recipient: path)
            delivery.sender = sender
            try expansion.add(delivery)
        }
    }

    private static func local(_ name: String, _ domain: String) -> Path? {
        isUserName(name) && !name.contains("@") ? Path(localPart: name, domain: domain) : nil
    }

    // MARK: Looking up

    /// The keys under which a name may stand, the most special first; the last ones are catch-alls.
    private func keys(_ path: Path) -> (names: [String], catchAlls: [String]) {
        let domain = LocalRecipients.key(ofDomain: path.domain)
        let localPart = path.unquotedLocalPart.asciiLowercased
        let untagged = LocalRecipients.untagged(localPart)
        var names: [String] = []
        // A quoted local-part with an `@` in it is not the address that it looks like.
        for name in untagged == localPart ? [localPart] : [localPart, untagged] where !name.contains("@") {
            if !domain.isEmpty { names.append("\(name)@\(domain)") }
            names.append(name)
        }
        return (names, ["@\(domain)", "*@\(domain)", "*"])
    }

    /// The alias of a name; a catch-all only when there is no user of that name.
    private func alias(of path: Path) -> (name: String, targets: [AliasesFile.Target], catchesAll: Bool)? {
        guard let aliases else { return nil }
        let (names, catchAlls) = keys(path)
        for name in names { if let targets = aliases.targets(of: name) { return (name, targets, false) } }
        if let users, names.contains(where: { users.users[$0] != nil }) { return nil }
        for name in catchAlls { if let targets = aliases.targets(of: name) { return (name, targets, true) } }
        return nil
    }

    private func user(_ path: Path) throws(Refusal) -> LocalDelivery {
        let localPart = path.unquotedLocalPart.asciiLowercased
        let untagged = LocalRecipients.untagged(localPart)
        guard let users else {
            return LocalDelivery(try defaultTarget(untagged), recipient: path)
        }
        let (names, catchAlls) = keys(path)
        for key in names + catchAlls {
            guard let user = users.users[key] else { continue }
            let name = key.prefix { $0 != "@" }
            let folder = name.isEmpty || name == "*" ? untagged : String(name)
            let target = if let own = user.target { own } else { try defaultTarget(folder) }
            var delivery = LocalDelivery(target, recipient: path)
            delivery.filters = user.filters
            return delivery
        }
        guard LocalRecipients.isFolderName(untagged) else { throw .unusable }
        // RFC 5321 4.5.1: there is always a postmaster.
        guard untagged == "postmaster" else { throw .noSuchUser }
        return LocalDelivery(try defaultTarget(untagged), recipient: path)
    }

    private func defaultTarget(_ name: String) throws(Refusal) -> DeliveryTarget {
        guard LocalRecipients.isFolderName(name) else { throw .unusable }
        return switch store {
        // Where an mbox has its lock nobody else can have an mbox; and the lock needs a name too.
        case .mboxes(_) where name.hasSuffix(".lock") || name.utf8.count > 250: throw .unusable
        case .maildirs(let root): .maildir("\(root)/\(name)")
        case .mboxes(let root): .mbox("\(root)/\(name)")
        case .program(let command): .program(command)
        }
    }

    /// The local-part without its `+tag`.
    private static func untagged(_ localPart: String) -> String {
        let name = localPart.prefix { $0 != "+" }
        return String(name)
    }

    /// Whether a name can stand as one component of a path: not empty, no `/` or NUL, no leading dot, at most 255 bytes.
    static func isFolderName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return !bytes.isEmpty && bytes.count <= 255 && bytes[0] != ASCII.dot && bytes[0] != ASCII.plus
            && !bytes.contains { $0 == ASCII.slash || $0.isASCIIControl }
    }

    /// Whether a name may stand in a users file: an address, a local-part, or `@domain` and `*`, which catch all.
    static func isUserName(_ name: String) -> Bool {
        let localPart = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        return localPart.isEmpty ? name.hasPrefix("@") && name.utf8.count > 1 : isFolderName(String(localPart))
    }
}

extension AliasesFile {
    /// Whether a target is the name itself.
    static func names(_ target: Target, _ name: String) -> Bool {
        switch target {
        case .address(let text), .finalName(let text): text.equalsIgnoringCase(name)
        case .place: false
        }
    }
}
