import Bytes

/// What a milter is shown of a message and its envelope.
package struct MilterMessage: Sendable {
    package var hostName: String
    /// The client's name or `[address]`, and its address and port; nil for a Unix socket.
    package var clientName: String
    package var clientAddress: (text: String, isIPv6: Bool, port: UInt16)?
    package var helloName: String
    /// With angle brackets, as the commands had them.
    package var sender: String
    package var recipients: [String]
    package var identifier: String
    package var user: String?
    package var tls: (version: String, cipher: String)?
    /// The message with LF line ends.
    package var content: [UInt8]

    package init(
        hostName: String, clientName: String, helloName: String, sender: String, recipients: [String],
        identifier: String, content: [UInt8]
    ) {
        self.hostName = hostName
        self.clientName = clientName
        self.helloName = helloName
        self.sender = sender
        self.recipients = recipients
        self.identifier = identifier
        self.content = content
    }
}

/// What a milter has decided about a message.
package enum MilterVerdict: Equatable, Sendable {
    /// Deliver this content to these recipients, with this sender (all with angle brackets).
    case accept(content: [UInt8], sender: String, recipients: [String])
    case discard
    /// Keep it out of the mailboxes, for this reason.
    case quarantine(String)
    /// The reply of the milter, `550 5.7.1 text`; nil: its code alone, 5yz or 4yz.
    case reject(String?)
    case tempfail(String?)
}

/// The mail server's side of the milter protocol (version 6) for one message as a value: packets out, packets in.
///
/// Each packet of `next` is sent, and when it `expectsAnswer`, answers are given to `receive` until it says to go on.
package struct MilterSession: Sendable {
    package enum Reaction: Equatable, Sendable {
        /// Send the next packet.
        case goOn
        /// Wait for another answer (progress, or one of several changes).
        case wait
        case done(MilterVerdict)
        case malformed(String)
    }

    // Protocol steps that a milter may ask to leave out (SMFIP_NO*), and answers that it does not give (SMFIP_NR_*).
    private enum Flag {
        static let noConnect = 0x01, noHello = 0x02, noMail = 0x04, noRecipient = 0x08, noBody = 0x10
        static let noHeaders = 0x20, noEndOfHeader = 0x40, noReplyHeader = 0x80, noUnknown = 0x100, noData = 0x200
        static let skip = 0x400
        static let noReplyConnect = 0x1000, noReplyHello = 0x2000, noReplyMail = 0x4000, noReplyRecipient = 0x8000
        static let noReplyData = 0x10000, noReplyEndOfHeader = 0x40000, noReplyBody = 0x80000
        static let leadingSpace = 0x100000
        static let all = 0x1FFFFF & ~0x800
    }
    private static let version = 6
    /// Adding, changing and inserting header fields, the body, recipients, the sender, quarantine.
    private static let actions = 0x7F
    private static let bodyChunk = 65_535

    private let message: MilterMessage
    private var pending: [(packet: MilterPacket, expectsAnswer: Bool, isBody: Bool)] = []
    private var isNegotiated = false
    private var isAtEnd = false
    private var edit: MilterEdit
    private var protocolFlags = 0

    package init(_ message: MilterMessage) {
        self.message = message
        edit = MilterEdit(message)
        pending = [
            (
                MilterPacket(
                    "O",
                    MilterPacket.number(MilterSession.version) + MilterPacket.number(MilterSession.actions)
                        + MilterPacket.number(Flag.all)), true, false
            )
        ]
    }

    /// The next packets to send: those without an answer, up to one with.
    package mutating func next() -> (bytes: [UInt8], expectsAnswer: Bool)? {
        var bytes: [UInt8] = []
        while !pending.isEmpty {
            let (packet, expectsAnswer, _) = pending.removeFirst()
            bytes += packet.bytes
            if packet.command == UInt8(ascii: "E") { isAtEnd = true }
            if expectsAnswer { return (bytes, true) }
        }
        return bytes.isEmpty ? nil : (bytes, false)
    }

    /// Takes an answer.
    package mutating func receive(_ packet: MilterPacket) -> Reaction {
        guard isNegotiated else { return negotiate(packet) }
        switch packet.command {
        case UInt8(ascii: "p"): return .wait
        case UInt8(ascii: "c"): return isAtEnd ? .done(edit.verdict) : .goOn
        case UInt8(ascii: "a"): return .done(edit.verdict)
        case UInt8(ascii: "s"):
            pending.removeAll { $0.isBody }
            return .goOn
        case UInt8(ascii: "d"): return .done(.discard)
        case UInt8(ascii: "r"): return .done(.reject(nil))
        case UInt8(ascii: "t"): return .done(.tempfail(nil))
        case UInt8(ascii: "y"):
            let text = packet.data.prefix { $0 != 0 }.text
            return .done(text.hasPrefix("4") ? .tempfail(text) : .reject(text))
        default:
            guard isAtEnd, edit.apply(packet) else { return .malformed("an answer that does not belong here") }
            return .wait
        }
    }

    private mutating func negotiate(_ packet: MilterPacket) -> Reaction {
        guard packet.command == UInt8(ascii: "O"), packet.data.count >= 12 else {
            return .malformed("no negotiation")
        }
        func number(_ start: Int) -> Int { packet.data[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) } }
        guard (2...MilterSession.version).contains(number(0)) else {
            return .malformed("version \(number(0)) of the protocol")
        }
        protocolFlags = number(8)
        isNegotiated = true
        edit.keepsLeadingSpace = protocolFlags & Flag.leadingSpace != 0
        enqueue(version: number(0))
        return .goOn
    }

    // MARK: What is sent

    private mutating func enqueue(version: Int) {
        let queueName = ["i", message.identifier]
        var connection = ["j", message.hostName, "{daemon_name}", message.hostName]
        connection += ["{client_addr}", message.clientAddress?.text ?? "", "_", message.clientName]
        macros("C", connection)
        add("C", connectData, unless: Flag.noConnect, silent: Flag.noReplyConnect)
        var hello: [String] = []
        if let tls = message.tls { hello += ["{tls_version}", tls.version, "{cipher}", tls.cipher] }
        macros("H", hello)
        add("H", MilterPacket.string(message.helloName), unless: Flag.noHello, silent: Flag.noReplyHello)
        var mail = queueName + ["{mail_addr}", MilterSession.bare(message.sender)]
        if let user = message.user { mail += ["{auth_authen}", user] }
        macros("M", mail)
        add("M", MilterPacket.string(message.sender), unless: Flag.noMail, silent: Flag.noReplyMail)
        for recipient in message.recipients {
            macros("R", queueName + ["{rcpt_addr}", MilterSession.bare(recipient)])
            add("R", MilterPacket.string(recipient), unless: Flag.noRecipient, silent: Flag.noReplyRecipient)
        }
        if version >= 4 {
            macros("T", queueName)
            add("T", [], unless: Flag.noData, silent: Flag.noReplyData)
        }
        macros("L", queueName)
        for field in edit.fields {
            let value = edit.keepsLeadingSpace ? field.value : MilterEdit.withoutLeadingSpace(field.value)
            add(
                "L", MilterPacket.string(field.name) + value.filter { $0 != 0 } + [0], unless: Flag.noHeaders,
                silent: Flag.noReplyHeader)
        }
        macros("N", queueName)
        add("N", [], unless: Flag.noEndOfHeader, silent: Flag.noReplyEndOfHeader)
        let body = edit.bodyWithCRLF
        for start in stride(from: 0, to: body.count, by: MilterSession.bodyChunk) {
            add(
                "B", Array(body[start..<min(start + MilterSession.bodyChunk, body.count)]), unless: Flag.noBody,
                silent: Flag.noReplyBody, isBody: true)
        }
        macros("E", queueName)
        pending.append((MilterPacket("E"), true, false))
    }

    private mutating func add(
        _ command: Character, _ data: [UInt8], unless left: Int, silent: Int, isBody: Bool = false
    ) {
        guard protocolFlags & left == 0 else { return }
        pending.append((MilterPacket(command, data), protocolFlags & silent == 0, isBody))
    }

    private mutating func macros(_ command: Character, _ pairs: [String]) {
        guard !pairs.isEmpty else { return }
        let data = [command.asciiValue ?? 0] + pairs.flatMap { MilterPacket.string($0) }
        pending.append((MilterPacket("D", data), false, false))
    }

    private var connectData: [UInt8] {
        guard let address = message.clientAddress else {
            return MilterPacket.string("localhost") + [UInt8(ascii: "U")]
        }
        let family = UInt8(ascii: address.isIPv6 ? "6" : "4")
        let port = [UInt8(truncatingIfNeeded: address.port >> 8), UInt8(truncatingIfNeeded: address.port)]
        return MilterPacket.string(message.clientName) + [family] + port + MilterPacket.string(address.text)
    }

    private static func bare(_ path: String) -> String { path.filter { $0 != "<" && $0 != ">" } }
}
