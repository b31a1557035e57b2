/// A list of hosts or addresses of URIs: `urirhssub NAME zone A 2`, with the flags of the rule that asks it.
struct URIList {
    enum Kind { case names, addresses, serverNames, serverDomains }

    let kind: Kind
    let zone: String
    let subtest: String?
    private let flags: [String]

    /// More domains than this are not asked for.
    private static let mostDomains = 20

    init?(_ call: EvalCall, _ settings: RuleSettings) {
        guard let name = call.arguments.first else { return nil }
        flags = Array(call.arguments.dropFirst())
        for (keyword, kind) in [
            ("urirhssub", Kind.names), ("urirhsbl", .names), ("uridnssub", .addresses), ("uridnsbl", .addresses),
            ("urinsrhssub", .serverDomains), ("urinsrhsbl", .serverDomains), ("urifullnsrhssub", .serverNames),
            ("urifullnsrhsbl", .serverNames),
        ] {
            guard let line = settings.lines(keyword).last(where: { $0.first == name && $0.count >= 3 }) else {
                continue
            }
            self.kind = kind
            zone = EvalTests.zone(line[1])
            subtest = keyword.hasSuffix("sub") && line.count > 3 ? line[3] : nil
            return
        }
        return nil
    }

    /// By default the name servers of a domain are looked at; `tflags a` asks for the host's own addresses.
    var asksHosts: Bool { flags.contains("a") }
    var asksServers: Bool { !flags.contains("a") || flags.contains("ns") }

    static func names(_ facts: MessageFacts) -> ArraySlice<String> {
        let skipped = facts.settings.words("uridnsbl_skip_domain").map(\.asciiLowercased)
        let isSkipped = Set(skipped)
        let most = facts.settings.number("uridnsbl_max_domains").map { Int(min(max($0, 0), 100)) } ?? mostDomains
        return facts.uriHosts.filter { host in
            !EvalTests.isIPv4(host) && !isSkipped.contains(facts.tables.domains.registered(host))
                && !isSkipped.contains(host)
        }.prefix(most)
    }

    static func domains(_ facts: MessageFacts) -> Set<String> { Set(names(facts).map(facts.tables.domains.registered)) }

    /// Hosts that are addresses, looked up in the list themselves.
    func literalQuestions(_ facts: MessageFacts) -> [NetworkQuestion] {
        facts.uriHosts.filter(EvalTests.isIPv4).prefix(URIList.mostDomains).map { EvalTests.listed($0, zone) }
    }

    func nameQuestions(_ facts: MessageFacts) -> [NetworkQuestion] {
        var questions: [NetworkQuestion] = []
        if !flags.contains("ips_only") {
            questions += URIList.domains(facts).map { NetworkQuestion("\($0).\(zone)", .address) }
        }
        if !flags.contains("domains_only") { questions += literalQuestions(facts) }
        return questions
    }

    /// The questions whose answers tell whether something is listed, as far as they are known by now.
    func questions(_ facts: MessageFacts) -> [NetworkQuestion] {
        let answers = facts.network.answers
        func servers() -> [String] {
            URIList.domains(facts).flatMap { answers[NetworkQuestion($0, .nameServer)] ?? [] }
        }
        func addresses(_ names: some Sequence<String>) -> [NetworkQuestion] {
            names.flatMap { answers[NetworkQuestion($0, .address)] ?? [] }.map { EvalTests.listed($0, zone) }
        }
        switch kind {
        case .names: return nameQuestions(facts)
        case .serverNames: return servers().map { NetworkQuestion("\($0).\(zone)", .address) }
        case .serverDomains:
            return servers().map { NetworkQuestion("\(facts.tables.domains.registered($0)).\(zone)", .address) }
        case .addresses:
            return literalQuestions(facts) + (asksHosts ? addresses(URIList.names(facts)) : [])
                + (asksServers ? addresses(servers()) : [])
        }
    }
}

extension MessageFacts {
    /// The newest relay that is not ours, as SPF asks for it; nil when there is none.
    var senderQuestion: SenderQuestion? {
        guard let relay = relays.relays(.external).first, !relay.address.isEmpty, !relay.isPrivate else { return nil }
        return SenderQuestion(address: relay.address, mailFrom: relays.envelopeFrom, helo: relay.helo)
    }
}
