import Bytes
import MessageFormat
import SMTP
import Unix

/// The trace fields that a server adds to a message (RFC 5321 4.4).
package struct TraceFields: Sendable {
    /// What the client said in HELO or EHLO.
    package var clientName: String
    package var clientAddress: SocketAddress
    package var serverName: String
    /// `SMTP`, `ESMTP` or `ESMTPS` (RFC 3848).
    package var transport: String
    /// TLS version and cipher, when there is TLS.
    package var security: String?
    package var identifier: String
    /// Named only when there is one recipient, so that nobody learns of the others (RFC 5321 7.2).
    package var onlyRecipient: Path?

    package init(
        clientName: String, clientAddress: SocketAddress, serverName: String, transport: String, security: String?,
        identifier: String, onlyRecipient: Path?
    ) {
        self.clientName = clientName
        self.clientAddress = clientAddress
        self.serverName = serverName
        self.transport = transport
        self.security = security
        self.identifier = identifier
        self.onlyRecipient = onlyRecipient
    }

    /// The Received field with LF line ends, for the time `epoch` and a zone east of UTC by `zone` seconds.
    package func received(epoch: Int, zone: Int) -> [UInt8] {
        let address =
            switch clientAddress {
            case .ip(let ip, _): ip.isIPv6 ? "[IPv6:\(ip)]" : "[\(ip)]"
            case .unix: "[unix]"
            }
        var text = "Received: from \(TraceFields.word(clientName)) (\(address))\n"
        text += "\tby \(serverName) (Facteur) with \(transport)"
        if let security { text += "\n\t(using \(security))" }
        text += " id \(identifier)"
        if let onlyRecipient {
            // A path has a domain (RFC 5321 4.4): a bare postmaster is this server's.
            text += "\n\tfor <\(onlyRecipient)\(onlyRecipient.domain.isEmpty ? "@\(serverName)" : "")>"
        }
        text += ";\n\t\(TraceFields.date(epoch: epoch, zone: zone))\n"
        return Array(text.utf8)
    }

    /// The Return-Path field of the final delivery, `<>` for the null reverse-path.
    package static func returnPath(_ path: Path) -> [UInt8] { Array("Return-Path: <\(path)>\n".utf8) }

    /// The start of a message without the Return-Path fields in its header.
    package static func withoutReturnPath(_ start: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        var copied = 0
        var isWithin = false
        var place = 0
        let span = start.span
        while place < span.count {
            let line = span.line(at: place)
            if line.content.isEmpty { break }
            if !span[place].isSpaceOrTab {
                let wasWithin = isWithin
                isWithin = span.begins(at: line.content, withField: "return-path:")
                if isWithin, !wasWithin { kept.append(span: span.extracting(copied..<place)) }
                if wasWithin, !isWithin { copied = place }
            }
            place = line.next
        }
        if isWithin { copied = place }
        if copied == 0 { return start }
        kept.append(span: span.extracting(copied..<span.count))
        return kept
    }

    /// The Delivered-To field, by which a loop of forwards is seen.
    package static func deliveredTo(_ path: Path) -> [UInt8] { Array("Delivered-To: \(path)\n".utf8) }

    /// A name from the client as a word that cannot break the field: other bytes become `?`.
    private static func word(_ name: String) -> String {
        name.utf8.prefix(255).map { byte in
            byte > 0x20 && byte < 0x7F && !specials.contains(byte) ? byte : ASCII.question
        }.text
    }

    /// What has a meaning in a structured field and none in a domain or an address literal (RFC 5322 3.2.3).
    private static let specials = Array("()<>;@\\,\"".utf8)

    /// `Sat, 21 Aug 2004 12:27:43 +0200` (RFC 5322 3.3).
    package static func date(epoch: Int, zone: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let local = CalendarTime(epoch: epoch + zone)
        let minutes = abs(zone) / 60
        return "\(CalendarTime.weekdayNames[local.weekday]), \(two(local.day)) "
            + "\(CalendarTime.monthNames[local.month - 1]) \(local.year) "
            + "\(two(local.hour)):\(two(local.minute)):\(two(local.second)) "
            + "\(zone < 0 ? "-" : "+")\(two(minutes / 60))\(two(minutes % 60))"
    }
}
