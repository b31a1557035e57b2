import Bytes
import DNS
import Unix

/// What SPF is asked: may this client send mail for this sender?
package struct SPFRequest: Sendable {
    /// The client. An IPv4 address in IPv6 form counts as IPv4.
    package var address: IPAddress
    /// The address of MAIL FROM without angle brackets; empty for the null reverse-path, nil when it is not known.
    package var mailFrom: String?
    /// The name that the client gave with HELO or EHLO.
    package var helo: String?
    /// Checks this domain in place of the sender's.
    package var domain: String?
    /// The name of the host that checks, for explanations.
    package var receiver = "unknown"

    package init(address: IPAddress, mailFrom: String? = nil, helo: String? = nil, domain: String? = nil) {
        self.address = address
        self.mailFrom = mailFrom
        self.helo = helo
        self.domain = domain
    }
}

/// Evaluates SPF policies (RFC 7208). One evaluator may serve many checks at a time: it keeps the records that it parsed.
package final class SPFEvaluator: Sendable {
    let resolver: Resolver
    private let parsed = TextCache<Result<SPFRecord, SPFSyntaxError>>()

    package init(_ resolver: Resolver) { self.resolver = resolver }

    /// Checks one client. After `deadline` the result is `temperror`. `time` is the clock for explanations.
    package func check(
        _ request: SPFRequest, deadline: ContinuousClock.Instant? = nil, time: Int = SystemClock.now.seconds
    ) async -> SPFOutcome {
        let sender = SPFSender(request)
        guard let domain = SPFDomain(checking: sender.checkedDomain) else {
            var trace = SPFTrace(domain: sender.checkedDomain)
            trace.problem = "\(spfText(sender.checkedDomain.utf8)) is not a domain that can have a policy"
            return SPFOutcome(trace, sender, explanation: nil, lookups: 0, void: 0)
        }
        var check = SPFCheck(self, request, sender, deadline: deadline, time: time)
        let trace = await check.policy(of: domain)
        let explanation = trace.result == .fail ? await check.explanation(trace) : nil
        return SPFOutcome(trace, sender, explanation: explanation, lookups: check.lookups, void: check.voids)
    }

    /// The record of a text; parsed once.
    func record(_ text: [UInt8]) throws(SPFSyntaxError) -> SPFRecord {
        try parsed.value(text) { text in
            Result { () throws(SPFSyntaxError) in try SPFRecord(parsing: text) }
        }.get()
    }
}

extension SPFOutcome {
    /// The outcome of a check for which the time was not enough.
    init(timeout request: SPFRequest) {
        let sender = SPFSender(request)
        var trace = SPFTrace(domain: sender.checkedDomain)
        trace.result = .temperror
        trace.problem = "the time for the check is over"
        self.init(trace, sender, explanation: nil, lookups: 0, void: 0)
    }

    fileprivate init(_ trace: SPFTrace, _ sender: SPFSender, explanation: String?, lookups: Int, void: Int) {
        result = trace.result
        identity = sender.identity
        domain = sender.checkedDomain
        self.sender = "\(sender.localPart)@\(sender.domain)"
        mechanism = trace.mechanism
        record = trace.decidingRecord ?? trace.record
        self.explanation = explanation
        self.lookups = lookups
        self.void = void
        problem = trace.problem
        self.trace = trace
    }
}

/// The sender that a request is about (RFC 7208 2.4, 4.1, 4.3).
struct SPFSender: Sendable {
    let identity: SPFOutcome.Identity
    let localPart: String
    let domain: String
    let checkedDomain: String

    init(_ request: SPFRequest) {
        let address = request.mailFrom ?? ""
        if address.isEmpty {
            let isHelo = request.mailFrom != nil || request.helo != nil
            identity = isHelo ? .helo : .mailFrom
            localPart = "postmaster"
            domain = request.helo ?? request.domain ?? ""
        } else {
            identity = .mailFrom
            // Of several at signs the last one counts: the others are in a quoted local-part.
            let at = address.utf8.lastIndex(of: ASCII.at)
            let local = at.map { String(address[..<$0]) } ?? ""
            localPart = local.isEmpty ? "postmaster" : local
            domain = at.map { String(address[address.utf8.index(after: $0)...]) } ?? address
        }
        checkedDomain = request.domain ?? domain
    }
}

/// A domain in both forms: as it is written, for macros, and as a name that can be asked for.
struct SPFDomain: Sendable {
    let text: [UInt8]
    let name: DomainName

    /// The domain that a check begins with (RFC 7208 4.3): a name of at least two labels.
    init?(checking text: String) {
        guard !text.hasPrefix("["), let ascii = try? InternationalName.ascii(text),
            let domain = SPFDomain(expanded: Array(ascii.utf8)), domain.name.isPlain,
            domain.name.parent?.isRoot == false
        else { return nil }
        self = domain
    }

    /// What macros made: too long a name loses labels from the left (RFC 7208 7.3).
    init?(expanded text: [UInt8]) {
        var text = text.last == ASCII.dot ? text.dropLast() : text[...]
        while text.count > 253 {
            guard let dot = text.firstIndex(of: ASCII.dot) else { return nil }
            text = text[(dot + 1)...]
        }
        // A backslash is a character here, not an escape.
        var escaped: [UInt8] = []
        escaped.reserveCapacity(text.count)
        for byte in text {
            if byte == ASCII.backslash { escaped.append(byte) }
            escaped.append(byte)
        }
        guard let name = try? DomainName(escaped, relativeTo: .root), !name.isRoot else { return nil }
        self.text = Array(text)
        self.name = name
    }
}
