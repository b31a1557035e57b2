import Bytes
import MessageFormat
import OpenSSL
import Unix

/// Tests of DNS lists of digests: of mail addresses, links, attachments and what a rule finds in the text.
extension EvalTests {
    static let hashListTests: [String: Test] = {
        var tests: [String: Test] = [:]
        for function in [
            "check_hashbl_emails", "check_hashbl_uris", "check_hashbl_bodyre", "check_hashbl_tag",
            "check_hashbl_attachments",
        ] {
            tests[function] = { facts, arguments in
                guard facts.network.isKnown,
                    let list = HashList(EvalCall(area: "body", function: function, arguments: arguments))
                else { return 0 }
                for question in list.questions(facts) {
                    for answer in facts.network.answers[question] ?? [] where list.accepts(answer, facts) {
                        facts.reason = "\(question.name): \(answer)"
                        return 1
                    }
                }
                return 0
            }
        }
        return tests
    }()
}

/// What a rule looks up in a list of digests.
struct HashList {
    private let call: EvalCall
    private let zone: String
    private let kind: NetworkQuestion.Kind
    private let options: [String: String]
    private let subtest: String

    /// Nil without a list, or for a kind of question that is none of A and TXT.
    init?(_ call: EvalCall) {
        let parts = call.arguments.first?.split(separator: "/") ?? []
        guard call.function.hasPrefix("check_hashbl_"), let name = parts.first else { return nil }
        self.call = call
        switch parts.count > 1 ? parts[1].uppercased() : "A" {
        case "A": kind = .address
        case "TXT": kind = .text
        default: return nil
        }
        zone = EvalTests.zone(String(name))
        let isOfAddresses = call.function == "check_hashbl_emails"
        let usual = isOfAddresses ? "sha1/notag/noquote/max=10" : "sha1/max=10"
        let told = call.arguments.count > 1 && !call.arguments[1].isEmpty ? call.arguments[1] : usual
        var options: [String: String] = [:]
        for option in told.asciiLowercased.split(separator: "/") {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            options[pair[0].filter { $0 != " " }] = pair.count > 1 ? String(pair[1]) : "1"
        }
        self.options = options
        let place = ["check_hashbl_uris", "check_hashbl_attachments"].contains(call.function) ? 2 : 3
        let argument = call.arguments.count > place ? call.arguments[place] : ""
        subtest = argument.isEmpty ? "^127\\." : argument
    }

    private func argument(_ place: Int) -> String? {
        call.arguments.count > place && !call.arguments[place].isEmpty ? call.arguments[place] : nil
    }

    /// An answer counts when it is no refusal.
    func accepts(_ answer: String, _ facts: MessageFacts) -> Bool {
        !(kind == .address && answer.hasPrefix("127.255.255.")) && facts.matches(subtest, answer)
    }

    func questions(_ facts: MessageFacts) -> [NetworkQuestion] {
        if facts.settings.isOn("skip_rbl_checks", default: false) { return [] }
        let values: [[UInt8]]
        switch call.function {
        case "check_hashbl_emails": values = addresses(facts).map { Array($0.utf8) }
        case "check_hashbl_uris": values = links(facts)
        case "check_hashbl_bodyre": values = matches(facts)
        case "check_hashbl_tag":
            let tag = (argument(2) ?? "").split(separator: "_").joined(separator: "_").uppercased()
            values = TagValues.values(of: tag, facts, signers: facts.signers).filter(fits).map {
                Array((options["revip"] != nil ? reversed($0) : $0).utf8)
            }
        default: values = attachments(facts)
        }
        let ignored = Set(facts.settings.words("hashbl_ignore").map(\.asciiLowercased))
        var seen: Set<String> = []
        var questions: [NetworkQuestion] = []
        let most = options["max"].flatMap { Int($0) } ?? 10
        for value in values where questions.count < most {
            let value = options["case"] == nil ? value.map(\.asciiLowercased) : value
            guard let digest = digest(of: value), seen.insert(digest).inserted, !ignored.contains(digest),
                !ignored.contains(value.map(\.asciiLowercased).text)
            else { continue }
            questions.append(NetworkQuestion("\(digest).\(zone)", kind))
        }
        return questions
    }

    private func digest(of value: [UInt8]) -> String? {
        if options["raw"] != nil { return value.isEmpty ? nil : value.text }
        let algorithm: DigestAlgorithm =
            options["md5"] != nil ? .md5 : options["sha256"] != nil ? .sha256 : .sha1
        guard var digest = try? Digest(algorithm) else { return nil }
        digest.update(value)
        let bytes = digest.finalize()
        return algorithm == .sha256 ? HashList.base32(bytes) : Hexadecimal.encode(bytes)
    }

    /// RFC 4648 6, in lower case and without padding.
    private static func base32(_ bytes: [UInt8]) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        var text: [UInt8] = []
        var bits = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | Int(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(letters[bits >> count & 31])
            }
            bits &= 1 << count - 1
        }
        if count > 0 { text.append(letters[bits << (5 - count) & 31]) }
        return text.text
    }

    // MARK: What is looked up

    private func addresses(_ facts: MessageFacts) -> [String] {
        let sources = argument(2) ?? "ALLFROM/Reply-To/body"
        let recipients = Set(
            ["X-Original-To", "Apparently-To", "Delivered-To", "Envelope-To"].flatMap {
                facts.text($0 + ":addr").asciiLowercased.split(separator: "\n").map(String.init)
            })
        var found: [String] = []
        for source in sources.split(separator: "/").map(String.init) {
            switch source {
            case "ALLFROM": found += facts.senders
            case "ALL":
                found += MessageURIs.addresses(in: facts.text("ALL").split(separator: "\n").map { Array($0.utf8) })
                    .sorted()
            case "body": found += facts.bodyAddresses.sorted()
            default: found += facts.text(source + ":addr").split(separator: "\n").map(String.init)
            }
        }
        let aliases = facts.settings.lines("hashbl_email_domain_alias")
        let allowed = argument(4).map { list in Set(facts.settings.words("hashbl_acl_\(list)").map(\.asciiLowercased)) }
        let skipped = Set(facts.settings.words("uridnsbl_skip_domain").map(\.asciiLowercased))
        return found.compactMap { address in
            guard let at = address.lastIndex(of: "@") else { return nil }
            var user = String(address[..<at])
            var domain = String(address[address.index(after: at)...]).asciiLowercased
            if let alias = aliases.first(where: { $0.dropFirst().contains(domain) }), let name = alias.first {
                domain = name
            }
            let registered = facts.tables.domains.registered(domain)
            if let allowed {
                if argument(4) != "all", !allowed.contains(domain) { return nil }
            } else if skipped.contains(domain) || skipped.contains(registered) {
                return nil
            }
            if recipients.contains(address.asciiLowercased) || facts.isRole(address) { return nil }
            if options["nodot"] != nil { user.removeAll { $0 == "." } }
            if options["notag"] != nil { user = String(user.prefix { $0 != "+" }) }
            if options["domain"] != nil { return registered }
            if options["host"] != nil { return domain }
            return options["user"] != nil ? user : "\(user)@\(domain)"
        }
    }

    private func links(_ facts: MessageFacts) -> [[UInt8]] {
        let skipped = Set(facts.settings.words("uridnsbl_skip_domain").map(\.asciiLowercased))
        return facts.links.filter { link in
            guard link.types.contains("a") || link.types.contains("parsed"),
                !link.raw.starts(with: Array("mailto:".utf8))
            else { return false }
            let hosts = link.hosts(facts)
            return !hosts.isEmpty && !(hosts + link.domains(facts)).contains(where: skipped.contains)
        }.flatMap { $0.cleaned(facts) }
    }

    /// The first group of each match of the rule's expression.
    private func matches(_ facts: MessageFacts) -> [[UInt8]] {
        guard let pattern = argument(2) else { return [] }
        let texts = call.area == "rawbody" ? facts.rawChunks : call.area == "full" ? [facts.bytes] : facts.bodyLines
        let found = texts.flatMap { facts.expressions.groups(of: pattern, in: $0) }
        guard options["num"] != nil else { return found }
        return found.map { $0.filter(\.isASCIIDigit) }.filter { !$0.isEmpty }
    }

    private func attachments(_ facts: MessageFacts) -> [[UInt8]] {
        let (structure, bytes) = (facts.structure, facts.bytes)
        let ignored = Set(facts.settings.words("hashbl_ignore").map(\.asciiLowercased))
        let least = options["minsize"].flatMap { Int($0) } ?? 1
        let most = options["maxsize"].flatMap { Int($0) } ?? .max
        return structure.walk().compactMap { index in
            let part = structure.parts[index]
            let name = structure.header(of: index, in: bytes.span).filename?.asciiLowercased
            guard part.isLeaf, !ignored.contains(part.contentType.name), name.map({ !ignored.contains($0) }) ?? true
            else {
                return nil
            }
            let content = structure.content(of: index, in: bytes.span).bytes
            return content.count >= max(least, 1) && content.count <= most ? content : nil
        }
    }

    private func fits(_ value: String) -> Bool {
        let address = IPAddress(value)?.bytes.count
        if options["ip"] != nil { return address != nil }
        if options["ipv4"] != nil { return address == 4 }
        if options["ipv6"] != nil { return address == 16 }
        return options["fqdn"] == nil && options["tld"] == nil || value.contains(".") && address == nil
    }

    private func reversed(_ value: String) -> String {
        IPAddress(value).map(EvalTests.reversed) ?? value
    }
}
