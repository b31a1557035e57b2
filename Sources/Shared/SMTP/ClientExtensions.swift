import Bytes

/// What a server offers in its answer to EHLO (RFC 5321 4.1.1.1): one extension a line after the first.
package struct ClientExtensions: Equatable, Sendable {
    /// RFC 2920.
    package var pipelining = false
    /// RFC 6152.
    package var eightBitMIME = false
    /// RFC 3207.
    package var startTLS = false
    /// RFC 6531.
    package var smtpUTF8 = false
    /// RFC 1870: SIZE was offered.
    package var size = false
    /// The largest message that the server takes, in octets; nil when it names no limit (no SIZE, SIZE alone, SIZE 0).
    package var sizeLimit: Int?
    /// RFC 3461.
    package var statusNotifications = false
    /// RFC 3030.
    package var chunking = false
    package var binaryMIME = false
    /// RFC 8689.
    package var requireTLS = false
    /// RFC 4954: the mechanisms of AUTH, in capital letters, in the server's order.
    package var mechanisms: [String] = []
    /// RFC 9422: the most recipients in one transaction.
    package var recipientLimit: Int?
    /// RFC 9422: the most transactions on one connection.
    package var transactionLimit: Int?
    /// RFC 9422: the most domains of recipients in one transaction.
    package var recipientDomainLimit: Int?

    /// Nothing offered, as after HELO.
    package init() {}

    /// Reads the lines of the answer, without code; the first one names the server and offers nothing.
    package init(lines: [String]) {
        for line in lines.dropFirst() { read(line) }
    }

    private mutating func read(_ line: String) {
        // "AUTH=LOGIN" is an old form that some servers still send beside the right one.
        let words = line.split { $0 == " " || $0 == "\t" || $0 == "=" }.map { $0.uppercased() }
        guard let keyword = words.first else { return }
        let parameters = words.dropFirst()
        switch keyword {
        case "PIPELINING": pipelining = true
        case "8BITMIME": eightBitMIME = true
        case "STARTTLS": startTLS = true
        case "SMTPUTF8": smtpUTF8 = true
        case "DSN": statusNotifications = true
        case "CHUNKING": chunking = true
        case "BINARYMIME": binaryMIME = true
        case "REQUIRETLS": requireTLS = true
        case "SIZE":
            size = true
            sizeLimit = parameters.first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        case "AUTH":
            for mechanism in parameters where !mechanisms.contains(mechanism) { mechanisms.append(mechanism) }
        case "LIMITS": readLimits(line)
        default: break
        }
    }

    /// `LIMITS RCPTMAX=20 MAILMAX=100` (RFC 9422 3).
    private mutating func readLimits(_ line: String) {
        for item in line.split(separator: " ").dropFirst() {
            let sides = item.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, let value = Int(sides[1]), value > 0 else { continue }
            switch sides[0].uppercased() {
            case "RCPTMAX": recipientLimit = value
            case "MAILMAX": transactionLimit = value
            case "RCPTDOMAINMAX": recipientDomainLimit = value
            default: break
            }
        }
    }
}
