import Bytes
import Unix

/// A server that handed the message on, as the Received field of the one after it tells.
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
    /// The server that took the message from it looked for its name, and there was none.
    var lacksName = false
    /// One of `msa_networks`.
    var isSubmission = false

    /// In the form that rules for X-Spam-Relays-* are written for.
    var text: String {
        "[ ip=\(address) rdns=\(reverseName) helo=\(helo) by=\(by) ident=\(ident) envfrom=\(envelopeFrom) "
            + "intl=\(isInternal ? 1 : 0) id=\(id) auth=\(auth) msa=\(isSubmission ? 1 : 0) ]"
    }

    /// The address belongs to no public network.
    var isPrivate: Bool { Relay.privateNetworks.contains { $0.contains(address) } }

    private static let privateNetworks = [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7",
        "fe80::/10",
    ].compactMap(AddressBlock.init)
}

/// The servers that a message came through, newest first, and how far they can be believed.
struct Relays {
    enum Kind { case trusted, untrusted, `internal`, external }

    private(set) var all: [Relay] = []
    /// Received fields of which nothing was understood.
    private(set) var unparsed = 0
    /// The sender of the envelope, when a field tells it; empty for the null sender.
    private(set) var envelopeFrom: String?
    /// Received fields, from the top, up to the last relay that is trusted, or internal.
    private var trustedCount = 0
    private var internalCount = 0
    /// The places of the Received fields among all fields.
    private let places: [Int]
    private let fieldCount: Int

    init(_ facts: MessageFacts) {
        places = facts.fields.indices.filter { facts.fields[$0].key == "received" }
        fieldCount = facts.fields.count
        var walk = RelayTrust.Walk(facts.tables.trust)
        for place in places {
            switch ReceivedRelay.read(MessageField.unfolded(facts.fields[place].raw)) {
            case .relay(var relay):
                walk.pass(&relay)
                all.append(relay)
            case .unparsed: unparsed += 1
            case .fetched: if walk.isTrusted { all = [] }
            case .ignored: break
            }
            if walk.isTrusted { trustedCount += 1 }
            if walk.isInternal { internalCount += 1 }
        }
        for name in facts.settings.words("originating_ip_headers") {
            guard let value = facts.firstValue(name.asciiLowercased)?.text else { continue }
            let words = value.split { " []()<>,;".contains($0) }
            guard let address = words.first(where: { AddressBlock(String($0)) != nil && $0.contains(".") }) else {
                continue
            }
            var relay = Relay()
            relay.address = String(address)
            walk.pass(&relay)
            all.append(relay)
        }
        envelopeFrom = envelopeSender(facts)
    }

    func relays(_ kind: Kind) -> [Relay] {
        switch kind {
        case .trusted: all.filter(\.isTrusted)
        case .untrusted: all.filter { !$0.isTrusted }
        case .internal: all.filter(\.isInternal)
        case .external: all.filter { !$0.isInternal }
        }
    }

    func text(_ kind: Kind) -> String { relays(kind).map(\.text).joined(separator: " ") }

    /// The header fields that relays of a kind wrote: trusted ones wrote those up to the Received field of the first
    /// relay that is not, which field they wrote too; from it on, what others wrote begins.
    func fields(_ kind: Kind) -> Range<Int> {
        let count = kind == .trusted || kind == .untrusted ? trustedCount : internalCount
        guard count < places.count else {
            return kind == .trusted || kind == .internal ? 0..<fieldCount : fieldCount..<fieldCount
        }
        return kind == .trusted || kind == .internal ? 0..<(places[count] + 1) : places[count]..<fieldCount
    }

    /// What the newest relay that is not ours tells, else a field that the receiving server puts above all Received
    /// fields; below one of them anybody could have written it.
    private func envelopeSender(_ facts: MessageFacts) -> String? {
        func isSender(_ text: String) -> Bool { text.contains("@") && !text.hasPrefix("@") }
        if let own = facts.settings.value("envelope_sender_header") {
            return facts.text(own + ":first:addr").isEmpty ? nil : facts.text(own + ":first:addr")
        }
        if let hop = relays(.untrusted).first ?? relays(.trusted).last, isSender(hop.envelopeFrom) {
            return hop.envelopeFrom
        }
        let fields = facts.fields
        let isFetched = fields.contains { $0.key == "received" && $0.raw.text.contains("(fetchmail") }
        if isFetched, facts.text("X-Sender:first:addr").contains("@") { return nil }
        for name in ["x-envelope-from", "envelope-sender", "return-path"] {
            guard let place = fields.firstIndex(where: { $0.key == name }) else { continue }
            // One below a Received field is of an earlier way, and so may be the others.
            if let received = places.first, let last = fields.lastIndex(where: { $0.key == name }), received < last {
                if name == "x-envelope-from" { return nil }
                continue
            }
            let value = fields[place].raw.filter { $0 != ASCII.less && $0 != ASCII.greater && !$0.isMailWhitespace }
            // The null sender is one; a word that is no address is none.
            if value.isEmpty || value.contains(ASCII.at) { return value.text }
        }
        return nil
    }
}

/// Which relays are ours: by `trusted_networks` and `internal_networks`, else those with private addresses, and those
/// that clients have proved themselves to. `msa_networks` are servers that take mail from clients of ours alone.
struct RelayTrust: Sendable {
    private let trusted: [AddressBlock]
    private let internals: [AddressBlock]
    private let submission: [AddressBlock]
    private let isTold: Bool

    init(_ settings: RuleSettings) {
        func blocks(_ name: String) -> [AddressBlock] { settings.words(name).compactMap(AddressBlock.init) }
        let trusted = blocks("trusted_networks")
        let internals = blocks("internal_networks")
        isTold = !trusted.isEmpty || !internals.isEmpty
        self.trusted = trusted.isEmpty ? internals : trusted
        self.internals = internals.isEmpty ? trusted : internals
        submission = blocks("msa_networks")
    }

    /// The relays, newest first, told one after the other.
    struct Walk {
        private let trust: RelayTrust
        private(set) var isTrusted = true
        private(set) var isInternal = true
        private var isFromClient = false

        init(_ trust: RelayTrust) { self.trust = trust }

        mutating func pass(_ relay: inout Relay) {
            if isTrusted, !isFromClient { judge(&relay) }
            relay.isTrusted = isTrusted
            relay.isInternal = isInternal
        }

        private mutating func judge(_ relay: inout Relay) {
            guard trust.isTold else {
                isTrusted = relay.isPrivate || !relay.auth.isEmpty
                isInternal = isTrusted
                return
            }
            if relay.auth.isEmpty, !RelayTrust.stands(relay, in: trust.trusted) {
                isTrusted = false
                isInternal = false
                return
            }
            if relay.auth.isEmpty, !RelayTrust.stands(relay, in: trust.internals) { isInternal = false }
            // What came to it came from clients of ours.
            if AddressBlock.list(trust.submission, contains: relay.address) {
                isFromClient = true
                relay.isSubmission = true
            }
        }
    }

    private static func stands(_ relay: Relay, in blocks: [AddressBlock]) -> Bool {
        relay.address.hasPrefix("127.") || relay.address == "::1" || AddressBlock.list(blocks, contains: relay.address)
    }
}
