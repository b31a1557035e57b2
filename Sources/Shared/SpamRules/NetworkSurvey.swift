/// What rules want to know of a message from the network, without knowing how that is asked.
package struct NetworkSurvey: Sendable {
    /// Asks one question; nil when nobody can say now.
    package typealias Lookup = @Sendable (NetworkQuestion) async -> [String]?

    /// Questions that can be asked at once.
    private var questions: Set<NetworkQuestion> = []
    /// Domains whose name servers, and hosts whose addresses are looked up in lists of addresses.
    private var servedDomains: Set<String> = []
    private var addressZones: Set<String> = []
    private var hostZones: Set<String> = []
    private var hosts: Set<String> = []
    /// Lists of names that are asked for the names of name servers; whole names, or registered ones.
    private var serverNameZones: Set<String> = []
    private var serverDomainZones: Set<String> = []
    /// Lists that are asked for the name servers of the sender's domain.
    private var senderDomain = ""
    private var senderServerZones: Set<String> = []
    /// Names with `_DKIMDOMAIN_` in them, asked for each domain with a valid signature.
    private var signerNames: Set<NetworkQuestion> = []
    /// An address whose name is wanted, and whether that name leads back to it.
    private var reverseAddress: String?
    /// What SPF is asked, when a rule wants to know who sent the message.
    package private(set) var sender: SenderQuestion?
    package private(set) var wantsSender = false
    /// The message as it came, without an mbox line before it.
    package let message: [UInt8]
    private let domains: DomainTables

    package var isEmpty: Bool {
        questions.isEmpty && servedDomains.isEmpty && hosts.isEmpty && reverseAddress == nil && !wantsSender
            && senderServerZones.isEmpty
    }

    init(_ facts: MessageFacts, _ calls: some Sequence<EvalCall>) {
        message = facts.bytes
        domains = facts.tables.domains
        for call in calls { add(call, facts) }
        if wantsSender {
            sender = facts.senderQuestion
            // Without a client and a signature there is nothing that could be verified.
            let isSigned = facts.fields.contains { $0.key == "dkim-signature" || $0.key == "arc-seal" }
            if sender == nil, !isSigned { wantsSender = false }
        }
    }

    private mutating func add(_ call: EvalCall, _ facts: MessageFacts) {
        switch call.function {
        case "check_uridnsbl": addURIList(call, facts)
        case "check_no_reverse_name", "check_unconfirmed_reverse_name":
            reverseAddress = facts.relays.relays(.external).first { !$0.isPrivate }?.address
        case "check_rbl_ns_from":
            guard call.arguments.count > 1, !facts.senderDomain.isEmpty else { return }
            senderDomain = facts.senderDomain
            senderServerZones.insert(EvalTests.zone(call.arguments[1]))
        case "askdns":
            guard let query = DNSTagQuery(call.arguments) else { return }
            if query.needsSignatures {
                wantsSender = true
                signerNames.formUnion(query.questions(facts, signers: [NetworkSurvey.signer]))
            } else {
                questions.formUnion(query.questions(facts, signers: []))
            }
        case "check_dkim_adsp":
            if call.arguments.first == "N" { questions.formUnion(EvalTests.authorQuestions(facts)) }
            wantsSender = true
        default:
            if EvalTests.authenticationTests[call.function] != nil {
                wantsSender = true
            } else {
                questions.formUnion(EvalTests.questions(of: call, facts))
            }
        }
    }

    private mutating func addURIList(_ call: EvalCall, _ facts: MessageFacts) {
        guard let list = URIList(call, facts.settings) else { return }
        switch list.kind {
        case .names: questions.formUnion(list.nameQuestions(facts))
        case .addresses:
            questions.formUnion(list.literalQuestions(facts))
            if list.asksHosts {
                hosts.formUnion(URIList.names(facts))
                hostZones.insert(list.zone)
            }
            if list.asksServers {
                servedDomains.formUnion(URIList.domains(facts))
                addressZones.insert(list.zone)
            }
        case .serverNames:
            servedDomains.formUnion(URIList.domains(facts))
            serverNameZones.insert(list.zone)
        case .serverDomains:
            servedDomains.formUnion(URIList.domains(facts))
            serverDomainZones.insert(list.zone)
        }
    }

    /// Stands for the domain of a signature until that is known.
    private static let signer = "_dkimdomain_"

    /// What is to be asked once it is known which domains have valid signatures.
    package func questions(signers: [String]) -> [NetworkQuestion] {
        Set(signers).flatMap { signer in
            signerNames.map { question in
                let name = question.name.split(separator: ".").map { $0 == NetworkSurvey.signer ? signer : String($0) }
                return NetworkQuestion(name.joined(separator: "."), question.kind)
            }
        }
    }

    /// Asks everything at the same time; what depends on an answer, when that is there. `learned` is told of each answer
    /// as it comes.
    package func ask(_ lookup: @escaping Lookup, learned: @escaping @Sendable (NetworkQuestion, [String]) -> Void) async
    {
        await withTaskGroup(of: Void.self) { group in
            @Sendable func answer(_ question: NetworkQuestion) async -> [String] {
                guard let found = await lookup(question) else { return [] }
                learned(question, found)
                return found
            }
            for question in questions { group.addTask { _ = await answer(question) } }
            for host in hosts {
                group.addTask {
                    for address in await answer(NetworkQuestion(host, .address)).prefix(4) {
                        await NetworkSurvey.each(hostZones) { _ = await answer(EvalTests.listed(address, $0)) }
                    }
                }
            }
            for domain in servedDomains {
                group.addTask {
                    await NetworkSurvey.each(await answer(NetworkQuestion(domain, .nameServer)).prefix(4)) { server in
                        var asked: Set<NetworkQuestion> = []
                        for zone in serverNameZones { asked.insert(NetworkQuestion("\(server).\(zone)", .address)) }
                        for zone in serverDomainZones {
                            asked.insert(NetworkQuestion("\(domains.registered(server)).\(zone)", .address))
                        }
                        if !addressZones.isEmpty {
                            for address in await answer(NetworkQuestion(server, .address)).prefix(4) {
                                for zone in addressZones { asked.insert(EvalTests.listed(address, zone)) }
                            }
                        }
                        await NetworkSurvey.each(asked) { _ = await answer($0) }
                    }
                }
            }
            if !senderServerZones.isEmpty {
                group.addTask {
                    let servers = await answer(NetworkQuestion(senderDomain, .nameServer)).prefix(4)
                    await NetworkSurvey.each(servers) { server in
                        for zone in senderServerZones {
                            _ = await answer(NetworkQuestion("\(server).\(zone)", .address))
                        }
                    }
                }
            }
            if let address = reverseAddress {
                group.addTask {
                    let names = await answer(NetworkQuestion(address, .reverse)).prefix(4)
                    await NetworkSurvey.each(names) { _ = await answer(NetworkQuestion($0, .address)) }
                }
            }
        }
    }

    private static func each<Values: Collection & Sendable>(
        _ values: Values, _ work: @escaping @Sendable (Values.Element) async -> Void
    ) async where Values.Element: Sendable {
        await withTaskGroup(of: Void.self) { group in
            for value in values { group.addTask { await work(value) } }
        }
    }
}
