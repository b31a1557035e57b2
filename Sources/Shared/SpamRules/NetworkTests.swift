import Bytes
import Unix

/// Tests that ask the DNS: lists of addresses and names, the sender's domain, the relay's name. They hit by what is in
/// `facts.network`; what nobody could say does not hit.
extension EvalTests {
    static let networkTests: [String: Test] = [
        "check_rbl": list("check_rbl"), "check_rbl_txt": list("check_rbl_txt"),
        "check_rbl_sub": list("check_rbl_sub"), "check_rbl_from_host": list("check_rbl_from_host"),
        "check_rbl_from_domain": list("check_rbl_from_domain"), "check_rbl_envfrom": list("check_rbl_envfrom"),
        "check_rbl_headers": list("check_rbl_headers"), "check_rbl_rcvd": list("check_rbl_rcvd"),
        "check_rbl_ns_from": list("check_rbl_ns_from"),
        "check_uridnsbl": { facts, arguments in
            guard facts.network.isKnown, !facts.settings.isOn("skip_uribl_checks", default: false),
                let list = URIList(
                    EvalCall(area: "body", function: "check_uridnsbl", arguments: arguments), facts.settings)
            else { return 0 }
            return isListed(list.questions(facts), list.subtest, facts)
        },
        "check_dns_sender": { facts, _ in
            let domain = facts.senderDomain
            let answers = [NetworkQuestion.Kind.exchange, .address].map {
                facts.network.answers[NetworkQuestion(domain, $0)]
            }
            guard answers.allSatisfy({ $0?.isEmpty == true }) else { return 0 }
            facts.reason = "\(domain) has neither MX nor address"
            return 1
        },
        "check_no_reverse_name": { facts, _ in
            guard let (address, names) = facts.reverseNames, names.isEmpty else { return 0 }
            facts.reason = "\(address) has no name"
            return 1
        },
        "check_unconfirmed_reverse_name": { facts, _ in
            guard let (address, names) = facts.reverseNames, let first = names.first else { return 0 }
            let answers = names.prefix(4).map { facts.network.answers[NetworkQuestion($0, .address)] }
            // One that nobody could look up may be the one that leads back.
            guard answers.allSatisfy({ $0?.contains(address) == false }) else { return 0 }
            facts.reason = "\(first) does not lead back to \(address)"
            return 1
        },
    ]

    private static func list(_ function: String) -> Test {
        { facts, arguments in hits(EvalCall(area: "header", function: function, arguments: arguments), facts) }
    }

    /// What a rule asks the DNS at once.
    static func questions(of call: EvalCall, _ facts: MessageFacts) -> [NetworkQuestion] {
        let arguments = call.arguments
        switch call.function {
        case "check_rbl", "check_rbl_txt":
            guard arguments.count > 1, !facts.settings.isOn("skip_rbl_checks", default: false) else { return [] }
            let kind: NetworkQuestion.Kind = call.function == "check_rbl" ? .address : .text
            return facts.listedAddresses(arguments[0]).map { listed($0, zone(arguments[1]), kind) }
        case "check_rbl_from_host", "check_rbl_from_domain", "check_rbl_envfrom":
            guard arguments.count > 1, !facts.settings.isOn("skip_rbl_checks", default: false) else { return [] }
            let name =
                call.function == "check_rbl_envfrom"
                ? domain(facts.relays.envelopeFrom ?? "") : domain(facts.address("From"))
            let asked = call.function == "check_rbl_from_domain" ? facts.tables.domains.registered(name) : name
            return asked.contains(".") ? [NetworkQuestion("\(asked).\(zone(arguments[1]))", .address)] : []
        case "check_rbl_headers", "check_rbl_rcvd":
            guard arguments.count > 1, !facts.settings.isOn("skip_rbl_checks", default: false) else { return [] }
            let isOfRelay = call.function == "check_rbl_rcvd"
            let hosts = isOfRelay ? facts.namesOfFirstRelay : facts.hosts(inFields: call.arguments)
            return hosts.map { listed($0, zone(arguments[1])) }
        case "check_rbl_ns_from":
            guard arguments.count > 1 else { return [] }
            let servers = facts.network.answers[NetworkQuestion(facts.senderDomain, .nameServer)] ?? []
            return servers.map { NetworkQuestion("\($0).\(zone(arguments[1]))", .address) }
        case "askdns":
            guard let query = DNSTagQuery(arguments), !query.needsSignatures else { return [] }
            return query.questions(facts, signers: [])
        case "check_dns_sender":
            let domain = facts.senderDomain
            return domain.isEmpty ? [] : [NetworkQuestion(domain, .exchange), NetworkQuestion(domain, .address)]
        default: return HashList(call)?.questions(facts) ?? []
        }
    }

    /// Whether lists have what a rule asks for.
    private static func hits(_ call: EvalCall, _ facts: MessageFacts) -> Int {
        guard facts.network.isKnown else { return 0 }
        if call.function == "check_rbl_sub" {
            // A look at what another rule of the same set asks for.
            guard call.arguments.count > 1 else { return 0 }
            let same = facts.listCalls.filter { $0.arguments.first == call.arguments[0] }
            return isListed(same.flatMap { questions(of: $0, facts) }, call.arguments[1], facts)
        }
        let subtest = call.arguments.count > 2 ? call.arguments[2] : nil
        return isListed(questions(of: call, facts), subtest, facts)
    }

    /// Whether an answer to one of the questions says that something is listed.
    private static func isListed(_ questions: [NetworkQuestion], _ subtest: String?, _ facts: MessageFacts) -> Int {
        for question in questions {
            for answer in facts.network.answers[question] ?? [] {
                let isHit =
                    question.kind == .text
                    ? subtest.map { facts.matches($0, answer) } ?? true
                    : ListCode(answer).map { $0.fits(subtest, facts) } ?? false
                if isHit {
                    facts.reason = "\(question.name): \(answer)"
                    return 1
                }
            }
        }
        return 0
    }

    /// A zone as rules write it, without the dot at its end.
    static func zone(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }

    /// The question whether a list has an address (RFC 5782).
    static func listed(_ address: String, _ zone: String, _ kind: NetworkQuestion.Kind = .address) -> NetworkQuestion {
        NetworkQuestion("\(IPAddress(address).map(reversed) ?? address).\(zone)", kind)
    }

    /// An address as it is written in names of such lists: the last of its parts first.
    static func reversed(_ address: IPAddress) -> String {
        let bytes = address.bytes.reversed()
        let labels =
            bytes.count == 4
            ? bytes.map { String($0) } : bytes.flatMap { [String($0 & 15, radix: 16), String($0 >> 4, radix: 16)] }
        return labels.joined(separator: ".")
    }

    static func authorQuestions(_ facts: MessageFacts) -> [NetworkQuestion] {
        let domain = domain(facts.address("From"))
        return domain.contains(".") ? [NetworkQuestion(domain, .exchange), NetworkQuestion(domain, .address)] : []
    }
}

/// The address with which a list answers.
private struct ListCode {
    private let text: String
    private let number: UInt32

    /// Nil for what is no answer of a list.
    init?(_ text: String) {
        guard text.hasPrefix("127."), let bytes = IPAddress(text)?.bytes, bytes.count == 4 else { return nil }
        self.text = text
        number = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The list refuses to answer: no listing, whatever a rule takes for one.
    private var isRefusal: Bool { text.hasPrefix("127.255.255.") || text == "127.0.0.1" }

    /// Whether the code is what a rule wants: any, one address, a range of them, a mask of bits, an expression.
    func fits(_ subtest: String?, _ facts: MessageFacts) -> Bool {
        // Rules that tell of a refusal name its code.
        if isRefusal, subtest.map({ !$0.contains("255") && $0 != "127.0.0.1" }) ?? true { return false }
        guard let subtest else { return true }
        if let mask = UInt32(subtest) { return number & mask != 0 }
        if IPAddress(subtest) != nil { return text == subtest }
        let ends = subtest.split(separator: "-").map { ListCode(String($0))?.number }
        if ends.count == 2, let first = ends[0], let last = ends[1] { return first <= number && number <= last }
        return facts.matches(subtest, text)
    }
}

extension MessageFacts {
    /// The domain of the envelope's sender; empty when there is none.
    var senderDomain: String {
        let domain = EvalTests.domain(relays.envelopeFrom ?? "")
        return domain.contains(".") ? domain : ""
    }

    /// Addresses and names that may be looked up, each once.
    private func lookedUp(_ hosts: [String]) -> [String] {
        var seen: Set<String> = []
        return hosts.map { EvalTests.zone($0.asciiLowercased) }.filter { host in
            (IPAddress(host) != nil || tables.domains.isDomain(Array(host.utf8)[...])) && seen.insert(host).inserted
        }
    }

    /// Address and names of the relay that it began with.
    fileprivate var namesOfFirstRelay: [String] {
        guard let relay = relays.relays(.untrusted).last else { return [] }
        return lookedUp([relay.address, relay.by, relay.helo, relay.reverseName])
    }

    /// More hosts of the header's fields than this are not asked for.
    private static let mostHosts = 20

    /// The hosts that fields name, of the addresses in them or by themselves: those of the fourth argument, else of
    /// rbl_headers.
    fileprivate func hosts(inFields arguments: [String]) -> [String] {
        let usual = "EnvelopeFrom,Reply-To,Disposition-Notification-To,X-WebmailclientIP,X-Mailer"
        let fields = arguments.count > 3 ? arguments[3] : settings.value("rbl_headers") ?? usual
        let hosts = lookedUp(
            fields.split(separator: ",").flatMap { field -> [String] in
                let name = String(field).filter { $0 != " " }
                let address = self.address(name)
                if address.contains("@") { return [EvalTests.domain(address)] }
                return text(name).split(separator: "\n").map { String($0).filter { $0 != " " } }
            })
        return Array(hosts.prefix(MessageFacts.mostHosts))
    }

    /// The address of the newest relay that is not ours and its names, when they are known.
    fileprivate var reverseNames: (address: String, names: [String])? {
        guard let relay = relays.relays(.external).first(where: { !$0.isPrivate }),
            let names = network.answers[NetworkQuestion(relay.address, .reverse)]
        else { return nil }
        return (relay.address, names)
    }

    /// The addresses that a set of DNS lists is asked for, by the end of its name: `-lastexternal` is the one that
    /// handed the message to us, `-firsttrusted` the one that handed it to the first relay that we trust,
    /// `-untrusted` all before that one, `-notfirsthop` all but the one it began with.
    func listedAddresses(_ set: String) -> [String] {
        func distinct(_ relays: [Relay]) -> [String] {
            var seen: Set<String> = []
            return relays.filter { !$0.isPrivate && !$0.address.isEmpty }.map(\.address).filter {
                seen.insert($0).inserted
            }
        }
        let untrusted = distinct(relays.relays(.untrusted))
        guard !untrusted.isEmpty else { return [] }
        let external = distinct(relays.relays(.external))
        let most = settings.number("num_check_received").map { Int(min(max($0, 0), 100)) } ?? 9
        if set.hasSuffix("-lastexternal") { return Array(external.prefix(1)) }
        if set.hasSuffix("-firsttrusted") { return Array(untrusted.prefix(1)) }
        if set.hasSuffix("-untrusted") { return Array(untrusted.dropFirst().prefix(most)) }
        if set.hasSuffix("-notfirsthop") {
            return Array((external.count > 1 ? external.dropLast() : external[...]).prefix(most))
        }
        return Array(untrusted.reversed().prefix(most))
    }
}
