import Bytes
import CommandLineTool
import DNS
import Delivery
import OpenSSL
import SenderAuthentication
import Unix

/// The options that sign messages and seal chains.
enum SigningOptions {
    private static let group = "Signing"
    static let dkim = Option.list(
        "dkim", "DOMAIN:SELECTOR:KEY", "sign with DKIM, repeatable; KEY is a file in PEM", group: group,
        completion: .file)
    static let dkimOptions = Option.text(
        "dkim-options", "LIST", "c=relaxed/simple,h=from:to,x=7d,l,t,i=@D", group: group)
    static let time: Option<Int?> = .integer(
        "time", "EPOCH", in: 0...999_999_999_999, "sign as at this time (now)", group: group)
    static let arcSeal = Option.text(
        "arc-seal", "DOMAIN:SELECTOR:KEY", "add an ARC set (RFC 8617); with --dry-run", group: group,
        completion: .file)
    static let authserv = Option.text("authserv-id", "ID", "whose Authentication-Results are sealed", group: group)
    static let arcHeaders = Option.text(
        "arc-headers", "NAME[:NAME]", "the fields that the ARC set signs (those that matter)", group: group)
    static let arcTime: Option<Int?> = .integer(
        "arc-time", "EPOCH", in: 0...999_999_999_999, "seal as at this time (now)", group: group)

    static let all: [AnyOption] = [
        AnyOption(dkim), AnyOption(dkimOptions), AnyOption(time), AnyOption(arcSeal), AnyOption(authserv),
        AnyOption(arcHeaders), AnyOption(arcTime),
    ]
}

/// Signs and seals messages on their way out.
struct Signing: Sendable {
    private let signers: [DKIMSigner]
    private let sealer: ARCSealer?
    private let verifier: SenderVerifier?
    private let time: Int?
    private let sealTime: Int?
    /// Messages are only shown: they need no recipients.
    let onlyShows: Bool

    /// Nil when nothing is to be signed.
    init?(_ arguments: Arguments) throws(ToolFailure) {
        let options = SigningOptions.self
        let parts = try arguments[options.dkim].map { text throws(ToolFailure) in try KeyChoice("--dkim", text) }
        let settings = try DKIMOptionList(arguments[options.dkimOptions] ?? "").options
        if parts.isEmpty, arguments.isGiven(options.dkimOptions) {
            throw ToolFailure(.usage, "--dkim-options: only with --dkim")
        }
        signers = try parts.map { part throws(ToolFailure) in
            try part.refused { key throws(SigningError) in
                try DKIMSigner(domain: part.domain, selector: part.selector, key: key, settings)
            }
        }
        time = arguments[options.time]
        sealTime = arguments[options.arcTime] ?? time
        onlyShows = arguments[SendOptions.dryRun]
        guard let seal = arguments[options.arcSeal] else {
            for name in [options.authserv, options.arcHeaders] where arguments[name] != nil {
                throw ToolFailure(.usage, "--\(name.declaration.long): only with --arc-seal")
            }
            sealer = nil
            verifier = nil
            if signers.isEmpty { return nil }
            return
        }
        guard onlyShows else {
            throw ToolFailure(.usage, "--arc-seal: only with --dry-run: smtp-serve seals what it relays")
        }
        guard let server = arguments[options.authserv] else {
            throw ToolFailure(.usage, "--arc-seal: whose results? give --authserv-id")
        }
        let part = try KeyChoice("--arc-seal", seal)
        let names = arguments[options.arcHeaders]?.split(separator: ":").map(String.init)
        sealer = try part.refused { key throws(SigningError) in
            try ARCSealer(domain: part.domain, selector: part.selector, key: key, server: server, names: names)
        }
        verifier = SenderVerifier(try Signing.resolver(arguments))
    }

    private static func resolver(_ arguments: Arguments) throws(ToolFailure) -> Resolver {
        do throws(ResolverError) {
            return try Resolver.make(zoneFile: arguments[SendOptions.dns], servers: arguments[SendOptions.dnsServers])
        } catch {
            if case .badServer = error { throw ToolFailure(.usage, "--dns-server \(error)") }
            throw ToolFailure(.dataError, "\(error)")
        }
    }

    /// The message with its signatures, and above them its ARC set.
    func sign(_ message: OutgoingMessage) throws -> OutgoingMessage {
        var content = message.content
        let now = SystemClock.now.seconds
        if !signers.isEmpty {
            let fields = try SignedBytes.read(content, name: message.name) { bytes throws(SigningError) in
                try DKIMSigner.sign(bytes, signers, time: time ?? now)
            }
            content.pieces.insert(.bytes(Array(fields.joined())), at: 0)
        }
        if let sealer, let verifier {
            let parsed = try SignedBytes.read(content, name: message.name) { bytes throws(OpenSSLError) in
                try SignedMessage(bytes)
            }
            let report = try EventLoop.run { _ in await verifier.verify(parsed, client: nil) }
            if report.arc.verdict == .temperror {
                throw ToolFailure(.temporaryFailure, "\(message.name): \(report.arc.reason ?? "DNS"): try again later")
            }
            let fields = try SignedBytes.read(content, name: message.name) { bytes throws(SigningError) in
                try sealer.seal(bytes, chain: report.arc, time: sealTime ?? now)
            }
            if let fields { content.pieces.insert(.bytes(fields), at: 0) }
        }
        return message.signed(content, by: self)
    }
}

/// `DOMAIN:SELECTOR:KEYFILE`
private struct KeyChoice {
    let option: String
    let domain: String
    let selector: String
    let file: String

    init(_ option: String, _ text: String) throws(ToolFailure) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
            throw ToolFailure(.usage, "\(option) \(text): is not DOMAIN:SELECTOR:KEYFILE")
        }
        self.option = option
        (domain, selector, file) = (parts[0], parts[1], parts[2])
    }

    /// Makes something of the key; what cannot be used is bad data.
    func refused<Value>(_ make: (PrivateKey) throws(SigningError) -> Value) throws(ToolFailure) -> Value {
        let key: PrivateKey
        do {
            key = try PrivateKey(pem: try Files.read(file, limit: 1 << 20))
        } catch let error as SystemError {
            throw ToolFailure(.dataError, "\(option): \(file): cannot be read: \(error.reason)")
        } catch {
            throw ToolFailure(.dataError, "\(option): \(file): \(error): give a private key in PEM")
        }
        do throws(SigningError) {
            return try make(key)
        } catch {
            throw ToolFailure(.dataError, "\(option): \(error)")
        }
    }
}

/// `c=relaxed/simple,h=from:to,x=7d,l,t,i=@example.org`
private struct DKIMOptionList {
    var options = DKIMSigner.Options()

    init(_ text: String) throws(ToolFailure) {
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let value = pair.count == 2 ? pair[1] : nil
            guard try take(pair[0], value) else {
                throw ToolFailure(
                    .usage, "--dkim-options \(part): is not understood: use c=, h=, x=, i=, l and t, with commas")
            }
        }
    }

    private mutating func take(_ name: String, _ value: String?) throws(ToolFailure) -> Bool {
        switch (name, value) {
        case ("c", let value?):
            let forms = value.split(separator: "/", omittingEmptySubsequences: false)
                .map { Canonicalization(rawValue: String($0)) }
            guard forms.count <= 2, let header = forms[0], let body = forms.count == 2 ? forms[1] : .simple else {
                return false
            }
            (options.headerForm, options.bodyForm) = (header, body)
        case ("h", let value?): options.names = value.split(separator: ":").map(String.init)
        case ("x", let value?):
            guard let seconds = DKIMOptionList.seconds(value) else { return false }
            options.lifetime = seconds
        case ("i", let value?): options.identity = value
        case ("l", nil): options.signsLength = true
        // The time of signing is always told.
        case ("t", nil): break
        default: return false
        }
        return true
    }

    /// `90`, `30m`, `12h`, `7d`, `2w`, in seconds.
    private static func seconds(_ text: String) -> Int? {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        let unit = text.last.flatMap { units[$0] }
        guard let number = Int(unit == nil ? text[...] : text.dropLast()), number > 0, number < 1 << 32 else {
            return nil
        }
        return number * (unit ?? 1)
    }
}

/// The bytes of a message as they will be sent: in one piece, without bare CR.
private enum SignedBytes {
    static func read<Value, Failure: Error>(
        _ content: MessageContent, name: String, _ body: (Span<UInt8>) throws(Failure) -> Value
    ) throws(ToolFailure) -> Value {
        var result: Result<Value, Failure>?
        func use(_ bytes: Span<UInt8>) {
            do throws(Failure) {
                result = .success(try body(bytes))
            } catch {
                result = .failure(error)
            }
        }
        if content.pieces.count == 1 {
            content.pieces[0].read(0..<content.count) { bytes in
                if hasBareCR(bytes) { use(withoutBareCR(bytes.array).span) } else { use(bytes) }
            }
        } else {
            var whole: [UInt8] = []
            whole.reserveCapacity(content.count)
            content.forEachPart { whole.append(span: $0) }
            use((hasBareCR(whole.span) ? withoutBareCR(whole) : whole).span)
        }
        switch result {
        case .success(let value): return value
        case .failure(let error): throw ToolFailure(.dataError, "\(name): \(error)")
        case nil: throw ToolFailure(.dataError, "\(name): is empty: there is nothing to sign")
        }
    }

    private static func hasBareCR(_ bytes: Span<UInt8>) -> Bool {
        var place = 0
        while let cr = bytes.firstIndex(of: ASCII.cr, from: place) {
            if cr + 1 >= bytes.count || bytes[cr + 1] != ASCII.lf { return true }
            place = cr + 2
        }
        return false
    }

    /// A bare CR leaves as a space.
    private static func withoutBareCR(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for place in bytes.indices
        where bytes[place] == ASCII.cr && (place + 1 >= bytes.count || bytes[place + 1] != ASCII.lf) {
            bytes[place] = ASCII.space
        }
        return bytes
    }
}
