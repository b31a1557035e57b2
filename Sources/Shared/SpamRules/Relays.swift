import Bytes
import Unix

/// The servers that a message came through, newest first, and how far they can be believed.
struct Relays {
    struct Relay {
        var address = ""
        var reverseName = ""
        var helo = ""
        var by = ""
        var ident = ""
        var envelopeFrom = ""
        var id = ""
        var auth = ""
        var isInternal = false
        var isTrusted = false

        /// One relay in the form that rules for X-Spam-Relays-* are written for.
        var text: String {
            "[ ip=\(address) rdns=\(reverseName) helo=\(helo) by=\(by) ident=\(ident) envfrom=\(envelopeFrom) "
                + "intl=\(isInternal ? 1 : 0) id=\(id) auth=\(auth) msa=0 ]"
        }
    }

    enum Kind { case trusted, untrusted, `internal`, external }

    private(set) var all: [Relay] = []
    private var trustedFields = 0
    private var internalFields = 0
    /// The sender of the envelope, when a field tells it; empty for the null sender.
    private(set) var envelopeFrom: String?

    init(_ facts: MessageFacts) {
        all = facts.fields.lazy.filter { $0.key == "received" }.compactMap {
            Relays.read(MessageField.unfolded($0.raw))
        }
        trust(facts.settings)
        for name in ["x-envelope-from", "envelope-sender", "return-path"] {
            guard let value = facts.firstValue(name) else { continue }
            envelopeFrom = value.filter { $0 != ASCII.less && $0 != ASCII.greater && !$0.isMailWhitespace }.text
            break
        }
    }

    func relays(_ kind: Kind) -> [Relay] {
        switch kind {
        case .trusted: all.filter(\.isTrusted)
        case .untrusted: all.filter { !$0.isTrusted }
        case .internal: all.filter(\.isInternal)
        case .external: all.filter { !$0.isInternal }
        }
    }

    /// How many header fields, from the top, were written by relays of a kind that is trusted or internal: those up to
    /// the first Received field of another relay, which that field's writer added.
    func fieldEnd(_ kind: Kind) -> Int { kind == .trusted ? trustedFields : internalFields }

    func text(_ kind: Kind) -> String { relays(kind).map(\.text).joined(separator: " ") }

    /// From the top, relays are trusted as long as their addresses are ours: private ones, and those of `trusted_networks`.
    private mutating func trust(_ settings: RuleSettings) {
        let trusted = settings.words("trusted_networks").compactMap(AddressBlock.init)
        let internals = settings.words("internal_networks").compactMap(AddressBlock.init)
        var isTrusted = true
        var isInternal = true
        for index in all.indices {
            let isOurs = Relays.isPrivate(all[index].address)
            func stands(_ blocks: [AddressBlock]) -> Bool { blocks.contains { $0.contains(all[index].address) } }
            isTrusted = isTrusted && (isOurs || stands(trusted))
            isInternal = isInternal && isTrusted && (isOurs || stands(internals.isEmpty ? trusted : internals))
            all[index].isTrusted = isTrusted
            all[index].isInternal = isInternal
        }
    }

    static func isPrivate(_ address: String) -> Bool {
        [
            "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7",
            "fe80::/10",
        ]
        .contains { AddressBlock($0)?.contains(address) == true }
    }

    /// One Received field, unfolded; nil when it tells of no hand-over between hosts.
    private static func read(_ value: [UInt8]) -> Relay? {
        let words = value.text.split(separator: " ").map(String.init)
        guard let from = words.firstIndex(of: "from"), from == 0, words.count > 1 else { return nil }
        var relay = Relay()
        relay.helo = words[1].trimming("[]()")
        let end = words.firstIndex(of: "by") ?? words.count
        for word in words[2..<max(2, end)] {
            let bare = word.trimming("[]();,")
            if relay.address.isEmpty,
                let address = IPAddress(bare.hasPrefix("IPv6:") ? String(bare.dropFirst(5)) : bare)
            {
                relay.address = "\(address)"
            } else if bare.hasPrefix("helo=") || bare.hasPrefix("HELO=") {
                relay.helo = String(bare.dropFirst(5))
            } else if relay.address.isEmpty, relay.reverseName.isEmpty, bare.contains("."), word.hasPrefix("(") {
                relay.reverseName = bare
            }
        }
        if relay.address.isEmpty, let address = IPAddress(relay.helo) { relay.address = "\(address)" }
        guard !relay.address.isEmpty else { return nil }
        if end + 1 < words.count { relay.by = words[end + 1].trimming(";()") }
        if let id = words.firstIndex(of: "id"), id + 1 < words.count { relay.id = words[id + 1].trimming(";") }
        return relay
    }
}

extension String {
    /// Without the characters of `set` at both ends.
    fileprivate func trimming(_ set: String) -> String {
        var text = self[...]
        while let first = text.first, set.contains(first) { text.removeFirst() }
        while let last = text.last, set.contains(last) { text.removeLast() }
        return String(text)
    }
}
