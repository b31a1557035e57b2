import CommandLineTool
import OpenSSL
import Unix

/// What a probe has shown, as JSON.
enum ProbeJSON {
    static func write(_ result: ProbeResult, _ now: Int, _ json: inout JSONWriter) {
        json.object { json in
            json.field("host", result.host)
            json.field("address", result.address.description)
            json.field("port", Int(result.port))
            json.field("connected", isConnected(result))
            json.field("error", error(result))
            json.field("banner", result.greeting?.text)
            json.field("bannerMs", result.greeting?.milliseconds, decimals: 1)
            json.field("ehlo", result.hello?.text)
            json.field("ehloMs", result.hello?.milliseconds, decimals: 1)
            json.field("extensions", ProbeResult.extensions(result.hello))
            json.field("startTls", offersTLS(result))
            json.key("tls")
            write(result.encryption, now, &json)
            json.field("extensionsAfterTls", ProbeResult.extensions(result.helloAfterTLS))
            json.field("mail", result.mail?.text)
            json.field("rcpt", result.recipient?.text)
        }
    }

    private static func isConnected(_ result: ProbeResult) -> Bool {
        switch result.failure {
        case nil, .noGreeting: true
        case .timedOut, .noRoute, .failed: false
        }
    }

    private static func error(_ result: ProbeResult) -> String? {
        switch result.failure {
        case .timedOut: "timeout"
        case .noRoute(let reason), .failed(let reason), .noGreeting(let reason): reason
        case nil: result.problem
        }
    }

    private static func offersTLS(_ result: ProbeResult) -> Bool? {
        guard let hello = result.hello, hello.isPositive else { return nil }
        if case .notOffered = result.encryption { return false }
        return true
    }

    private static func write(_ encryption: ProbeResult.Encryption, _ now: Int, _ json: inout JSONWriter) {
        switch encryption {
        case .untried, .notOffered: json.null()
        case .refused(let answer): json.object { $0.field("error", "refused: \(answer.text)") }
        case .failed(let reason): json.object { $0.field("error", reason) }
        case .done(let description, let inspection, let milliseconds):
            json.object { json in
                json.field("error", nil as String?)
                json.field("version", description.version)
                json.field("group", inspection?.group)
                json.field("cipher", description.cipher)
                json.field("ms", milliseconds, decimals: 1)
                if let inspection { write(inspection, now, &json) }
            }
        }
    }

    private static func write(_ inspection: TLSInspection, _ now: Int, _ json: inout JSONWriter) {
        let leaf = inspection.leaf
        json.field("subject", leaf.commonName)
        json.field("issuer", leaf.issuer)
        json.field("names", leaf.names)
        json.field("matchesName", inspection.matchesName)
        json.field("trusted", inspection.chainProblem == nil)
        json.field("problem", inspection.chainProblem)
        json.field("notBefore", leaf.notBefore)
        json.field("notAfter", leaf.notAfter)
        json.field("daysLeft", leaf.notAfter.map { ($0 - now) / 86_400 })
        let isExpired = (leaf.notAfter ?? now) < now || (leaf.notBefore ?? now) > now
        json.field("expired", isExpired)
    }
}
