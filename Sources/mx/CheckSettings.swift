import Bytes
import CommandLineTool
import DNS
import Network
import OpenSSL
import Unix

/// What the command line says of a diagnosis.
struct CheckSettings: Sendable {
    let parts: Set<CheckPart>
    let selectors: [String]
    let blocklists: [DomainName]
    let indicator: String?
    /// The settings of the probe but for the recipient; nil when no host is spoken with.
    let port: UInt16
    let probes: Bool
    let helo: String
    let sender: String?
    let startTLSOnly: Bool
    let stepTimeout: Duration
    /// Whether the policies of MTA-STS are fetched, and where from.
    private let fetchesPolicy: Bool
    private let httpsPort: UInt16

    init(_ arguments: Arguments) throws(ToolFailure) {
        selectors = try CheckSettings.names("dkim", arguments[MXOptions.dkim])
        indicator = try CheckSettings.names("bimi", arguments[MXOptions.bimi].map { [$0] } ?? []).first
        var zones: [DomainName] = []
        for text in arguments[MXOptions.dnsbl] {
            guard let zone = try? DomainName(text), !zone.isRoot else {
                throw ToolFailure(.usage, "--dnsbl \(TerminalText.escape(text)): is not a domain")
            }
            zones.append(zone)
        }
        blocklists = zones
        port = arguments[MXOptions.noSMTP] ? 25 : arguments[MXOptions.port].flatMap { UInt16(exactly: $0) } ?? 25
        helo = try CheckSettings.word("helo", arguments[MXOptions.helo]) ?? Host.name
        sender = try CheckSettings.word("from", arguments[MXOptions.from])
        startTLSOnly = arguments[MXOptions.startTLSOnly]
        // A mail server may take its time before it greets, more than a DNS server.
        stepTimeout = arguments[MXOptions.timeout].map { $0 * 5 } ?? .seconds(10)
        var parts = try CheckSettings.parts(arguments[MXOptions.only])
        if selectors.isEmpty { parts.remove(.dkim) }
        if zones.isEmpty { parts.remove(.dnsbl) }
        if indicator == nil { parts.remove(.bimi) }
        // DANE compares with the certificates, so it speaks with the hosts even when that is not shown.
        probes = !arguments[MXOptions.noSMTP] && (parts.contains(.smtp) || parts.contains(.dane))
        if arguments[MXOptions.noSMTP] { parts.remove(.smtp) }
        fetchesPolicy = !arguments[MXOptions.noSMTP]
        httpsPort = UInt16(clamping: arguments[MXOptions.httpsPort])
        self.parts = parts
    }

    private static func parts(_ words: [String]) throws(ToolFailure) -> Set<CheckPart> {
        if words.isEmpty { return Set(CheckPart.allCases) }
        var parts: Set<CheckPart> = []
        for word in words {
            guard let part = CheckPart(rawValue: word.asciiLowercased) else {
                let known = CheckPart.allCases.map(\.rawValue).joined(separator: ",")
                throw ToolFailure(.usage, "--only \(TerminalText.escape(word)): is not a part: use \(known)")
            }
            parts.insert(part)
        }
        return parts
    }

    /// Labels that are put before a domain.
    private static func names(_ option: String, _ words: [String]) throws(ToolFailure) -> [String] {
        for word in words where (try? DomainName("\(word).example")) == nil || word.utf8.contains(ASCII.backslash) {
            throw ToolFailure(.usage, "--\(option) \(TerminalText.escape(word)): is not a selector")
        }
        return words
    }

    /// A word that goes into an SMTP command: nothing in it may end the command or its argument.
    private static func word(_ option: String, _ text: String?) throws(ToolFailure) -> String? {
        guard let text else { return nil }
        var word = text[...]
        if word.hasPrefix("<"), word.hasSuffix(">") { word = word.dropFirst().dropLast() }
        guard word.utf8.allSatisfy({ $0 > ASCII.space && $0 != ASCII.delete && $0 != UInt8(ascii: ">") }) else {
            throw ToolFailure(.usage, "--\(option) \(TerminalText.escape(text)): holds a character that it cannot have")
        }
        return String(word)
    }

    /// How the hosts of a domain are spoken with. RCPT names the address that was asked for, else the postmaster, whom
    /// every mail host knows (RFC 5321 4.5.1).
    func probe(of route: MailRoute, deadline: ContinuousClock.Instant?) -> ProbeSettings {
        let isSafe = route.domain.utf8.allSatisfy { $0 > ASCII.space && $0 < ASCII.delete && $0 != UInt8(ascii: ">") }
        let given = route.domain.utf8.contains(ASCII.at) && isSafe && route.domain.utf8.first != UInt8(ascii: "<")
        let recipient = given ? route.domain : "postmaster@\(route.ascii ?? route.domain)"
        return ProbeSettings(
            port: port, helo: helo, sender: sender, recipient: recipient, startTLSOnly: startTLSOnly,
            timeout: stepTimeout, deadline: deadline)
    }

    /// How the policy of MTA-STS is fetched; nil when only the DNS is asked, or there is no OpenSSL.
    func policyFetch(deadline: ContinuousClock.Instant?) -> HTTPSFetch? {
        guard fetchesPolicy, let context = try? TLSContext() else { return nil }
        var fetch = HTTPSFetch(context: context)
        fetch.port = httpsPort
        fetch.timeLimit = deadline.map { max(.milliseconds(1), min(stepTimeout, $0 - .now)) } ?? stepTimeout
        return fetch
    }
}
