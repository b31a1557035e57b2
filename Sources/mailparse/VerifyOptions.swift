import Bytes
import CommandLineTool
import DNS
import SenderAuthentication
import Unix

/// The options of `--verify`, and what they come to.
struct VerifyOptions: Sendable {
    private static let group = "Verification"
    static let verify = Option.flag(
        "verify", "verify who sent each message: SPF, DKIM, ARC, DMARC", group: group)
    static let server = Option.list(
        "server", "ADDR[:PORT]", "ask this DNS server, repeatable (default: those of resolv.conf)", group: group)
    static let dns = Option.text(
        "dns", "FILE", "answer from the lines of this zone file in place of a server", group: group, completion: .file)
    static let timeout: Option<Duration?> = .duration(
        "timeout", "S", "the wait for an answer, doubled with each try (2)", group: group)
    static let tries: Option<Int?> = .integer(
        "tries", "N", in: 1...100, "how often each server is asked (2)", group: group)
    static let time: Option<Int?> = .integer(
        "time", "EPOCH", in: 0...Int.max, "judge signatures as at this time, to the second", group: group)
    static let spfAddress = Option.text("spf-ip", "IP", "the client that SPF judges (else from Received)", group: group)
    static let mailFrom = Option.text(
        "mail-from", "A", "the sender of the envelope (else from Return-Path)", group: group)
    static let helo = Option.text("helo", "NAME", "the name that the client gave", group: group)
    static let dmarc = Option.choice(
        "dmarc", ["rfc9989", "rfc7489"], default: "rfc9989",
        "the algorithm of DMARC; rfc7489: with the public suffix list", group: group)
    static let wholeBody = Option.flag(
        "whole-body", "a signature that leaves a part of the body unsigned is none for DMARC", group: group)

    static let all: [AnyOption] = [
        AnyOption(verify), AnyOption(server), AnyOption(dns), AnyOption(timeout), AnyOption(tries), AnyOption(time),
        AnyOption(spfAddress), AnyOption(mailFrom), AnyOption(helo), AnyOption(dmarc), AnyOption(wholeBody),
    ]

    let resolver: Resolver
    let verifier: SenderVerifier.Options
    /// The client, when it is given.
    let client: SPFRequest?

    init(_ arguments: Arguments) throws(ToolFailure) {
        resolver = try Self.resolver(arguments)
        var verifier = SenderVerifier.Options()
        if arguments[Self.dmarc] == "rfc7489" { verifier.algorithm = .rfc7489(PublicSuffixList.system) }
        verifier.time = arguments[Self.time]
        verifier.refusesUnsignedBody = arguments[Self.wholeBody]
        self.verifier = verifier
        guard let text = arguments[Self.spfAddress] else {
            for option in [Self.mailFrom, Self.helo] where arguments[option] != nil {
                throw ToolFailure(.usage, "--\(option.declaration.long): only with --spf-ip")
            }
            client = nil
            return
        }
        guard let address = IPAddress(text) else {
            throw ToolFailure(.usage, "--spf-ip \(text): is not an address: write 192.0.2.7 or 2001:db8::7")
        }
        let sender = arguments[Self.mailFrom].map {
            $0.hasPrefix("<") && $0.hasSuffix(">") ? String($0.dropFirst().dropLast()) : $0
        }
        guard sender?.isEmpty == false || arguments[Self.helo] != nil else {
            throw ToolFailure(.usage, "--spf-ip: whose policy? give --mail-from or --helo")
        }
        client = SPFRequest(address: address, mailFrom: sender, helo: arguments[Self.helo])
    }

    private static func resolver(_ arguments: Arguments) throws(ToolFailure) -> Resolver {
        do throws(ResolverError) {
            return try Resolver.make(
                zoneFile: arguments[dns], servers: arguments[server], timeout: arguments[timeout],
                tries: arguments[tries])
        } catch {
            switch error {
            case .unreadable: throw ToolFailure(.noInput, "\(error)")
            case .badZone: throw ToolFailure(.dataError, "\(error)")
            case .badServer: throw ToolFailure(.usage, "--server \(error)")
            }
        }
    }
}
