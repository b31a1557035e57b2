import Bytes

/// The client of a mail server, as milters are told of it.
package struct MilterConnection: Sendable {
    package var hostName: String
    /// The client's name or `[address]`, and its address and port; nil for a Unix socket.
    package var clientName: String
    package var clientAddress: (text: String, isIPv6: Bool, port: UInt16)?

    package init(
        hostName: String, clientName: String, clientAddress: (text: String, isIPv6: Bool, port: UInt16)? = nil
    ) {
        self.hostName = hostName
        self.clientName = clientName
        self.clientAddress = clientAddress
    }
}

/// What a mail server has come to, in the order of a session. Paths have their angle brackets.
package enum MilterStep: Sendable {
    case connect(MilterConnection)
    case hello(String, tls: (version: String, cipher: String)?)
    /// `parameters`: those of MAIL, each `KEYWORD=value`; `identifier`: what the message will be called.
    case mail(String, parameters: [String], user: String?, identifier: String)
    case recipient(String, parameters: [String])
    case data
    /// A field, what follows its colon with LF line ends.
    case header(name: String, value: [UInt8])
    case endOfHeader
    /// A part of the body with CRLF line ends, at most `MilterSession.bodyChunk` octets.
    case body([UInt8])
    case endOfMessage
}

/// The mail server's side of the milter protocol (version 6), for one connection of a client with all its messages, as a
/// value: packets out, packets in.
///
/// `begin` first, then `take` for each step in the order of the session. What they return is sent, and when an answer is
/// expected, packets are given to `receive` until it says something else than `.wait`.
package struct MilterSession: Sendable {
    /// What is to be sent.
    package struct Request: Equatable, Sendable {
        package let bytes: [UInt8]
        package let expectsAnswer: Bool
    }

    package enum Reaction: Equatable, Sendable {
        case goOn
        /// Wait for another packet: progress, or one of several changes.
        case wait
        /// Nothing more needs to be shown: of the client when it says so before MAIL, else of this message.
        case accept
        /// No more of the body needs to be shown.
        case skip
        /// Take the message and throw it away.
        case discard
        /// The reply of the milter, `550 5.7.1 text`; nil: its code alone, 5yz or 4yz.
        case reject(String?)
        case tempfail(String?)
        /// More of another body, with LF line ends; wait for another packet.
        case body([UInt8])
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
    /// The most of a body that one packet holds.
    package static let bodyChunk = 65_535

    private var isNegotiated = false
    private var agreedVersion = 0
    private var protocolFlags = 0
    private var isAtEnd = false
    private var identifier = ""
    /// The message in hand, for the changes that are made at its end.
    package private(set) var edit: MilterEdit?

    package init() {}

    /// The negotiation, which comes before everything else.
    package mutating func begin() -> Request {
        let offer =
            MilterPacket.number(MilterSession.version) + MilterPacket.number(MilterSession.actions)
            + MilterPacket.number(Flag.all)
        return Request(bytes: MilterPacket("O", offer).bytes, expectsAnswer: true)
    }

    /// Between MAIL and the end of the message: it can be broken off.
    package private(set) var isInMessage = false

    /// The header of the message, before its first field is shown.
    package mutating func open(_ edit: MilterEdit) {
        self.edit = edit
        self.edit?.keepsLeadingSpace = protocolFlags & Flag.leadingSpace != 0
    }

    /// The header fields that are to be shown, one after the other.
    package var headerSteps: [MilterStep] {
        guard let edit, protocolFlags & Flag.noHeaders == 0 else { return [] }
        return edit.shown.map { field in
            .header(
                name: field.name,
                value: edit.keepsLeadingSpace ? field.value : MilterEdit.withoutLeadingSpace(field.value))
        }
    }

    /// The body is to be shown.
    package var wantsBody: Bool { protocolFlags & Flag.noBody == 0 }

    /// What is to be sent for a step; empty when the milter does not want to be told.
    package mutating func take(_ step: MilterStep) -> Request {
        let queueName = identifier.isEmpty ? [] : ["i", identifier]
        switch step {
        case .connect(let client):
            var names = [
                "j", client.hostName, "{daemon_name}", client.hostName, "v", "Facteur", "_", client.clientName,
            ]
            names += ["{client_name}", client.clientName, "{client_addr}", client.clientAddress?.text ?? ""]
            if let address = client.clientAddress { names += ["{client_port}", "\(address.port)"] }
            return request(
                "C", MilterSession.connectData(client), names, unless: Flag.noConnect, silent: Flag.noReplyConnect)
        case .hello(let name, let tls):
            return request(
                "H", MilterPacket.string(name),
                tls.map { ["{tls_version}", $0.version, "{cipher}", $0.cipher] } ?? [], unless: Flag.noHello,
                silent: Flag.noReplyHello)
        case .mail(let sender, let parameters, let user, let identifier):
            self.identifier = identifier
            isInMessage = true
            isAtEnd = false
            var names = ["i", identifier, "{mail_addr}", MilterSession.bare(sender)]
            if let user { names += ["{auth_authen}", user] }
            return request(
                "M", MilterSession.strings([sender] + parameters), names, unless: Flag.noMail,
                silent: Flag.noReplyMail)
        case .recipient(let recipient, let parameters):
            return request(
                "R", MilterSession.strings([recipient] + parameters),
                queueName + ["{rcpt_addr}", MilterSession.bare(recipient)], unless: Flag.noRecipient,
                silent: Flag.noReplyRecipient)
        case .data:
            guard agreedVersion >= 4 else { return Request(bytes: [], expectsAnswer: false) }
            return request("T", [], queueName, unless: Flag.noData, silent: Flag.noReplyData)
        case .header(let name, let value):
            return request(
                "L", MilterPacket.string(name) + value.filter { $0 != 0 } + [0], [], unless: Flag.noHeaders,
                silent: Flag.noReplyHeader)
        case .endOfHeader:
            return request("N", [], queueName, unless: Flag.noEndOfHeader, silent: Flag.noReplyEndOfHeader)
        case .body(let part): return request("B", part, [], unless: Flag.noBody, silent: Flag.noReplyBody)
        case .endOfMessage:
            isAtEnd = true
            return request("E", [], queueName, unless: 0, silent: 0)
        }
    }

    /// The message is not gone on with.
    package mutating func abort() -> [UInt8] {
        defer { endMessage() }
        return isInMessage ? MilterPacket("A").bytes : []
    }

    /// The last packet.
    package static let quit = MilterPacket("Q").bytes

    private mutating func endMessage() {
        isInMessage = false
        isAtEnd = false
    }

    /// Takes a packet.
    package mutating func receive(_ packet: MilterPacket) -> Reaction {
        guard isNegotiated else { return negotiate(packet) }
        let reaction = read(packet)
        switch reaction {
        case .goOn where isAtEnd, .accept where isAtEnd, .discard where isAtEnd, .reject where isAtEnd,
            .tempfail where isAtEnd:
            endMessage()
        default: break
        }
        return reaction
    }

    private mutating func read(_ packet: MilterPacket) -> Reaction {
        switch packet.command {
        case UInt8(ascii: "p"): return .wait
        case UInt8(ascii: "c"): return .goOn
        case UInt8(ascii: "a"): return .accept
        case UInt8(ascii: "s"): return .skip
        case UInt8(ascii: "d"): return .discard
        case UInt8(ascii: "r"): return .reject(nil)
        case UInt8(ascii: "t"): return .tempfail(nil)
        case UInt8(ascii: "y"):
            let text = packet.data.prefix { $0 != 0 }
            guard text.count >= 3, text.prefix(3).allSatisfy(\.isASCIIDigit) else { return .malformed("no reply") }
            switch text.first {
            case UInt8(ascii: "4"): return .tempfail(text.text)
            case UInt8(ascii: "5"): return .reject(text.text)
            default: return .malformed("a reply that refuses nothing")
            }
        default:
            guard isAtEnd else { return .malformed("an answer that does not belong here") }
            switch edit?.apply(packet) ?? MilterEdit.Change.none {
            case .made: return .wait
            case .body(let piece): return .body(piece)
            case .none: return .malformed("an answer that does not belong here")
            }
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
        agreedVersion = number(0)
        protocolFlags = number(8)
        isNegotiated = true
        return .goOn
    }

    // MARK: Packets

    /// Macros go before their command, also of one that is left out: they hold for those that follow.
    private func request(
        _ command: Character, _ data: [UInt8], _ names: [String], unless left: Int, silent: Int
    ) -> Request {
        var bytes: [UInt8] = []
        if !names.isEmpty {
            bytes = MilterPacket("D", [command.asciiValue ?? 0] + MilterSession.strings(names)).bytes
        }
        guard protocolFlags & left == 0 else { return Request(bytes: bytes, expectsAnswer: false) }
        return Request(
            bytes: bytes + MilterPacket(command, data).bytes, expectsAnswer: protocolFlags & silent == 0)
    }

    private static func strings(_ texts: [String]) -> [UInt8] { texts.flatMap { MilterPacket.string($0) } }

    private static func connectData(_ client: MilterConnection) -> [UInt8] {
        guard let address = client.clientAddress else {
            return MilterPacket.string("localhost") + [UInt8(ascii: "U")]
        }
        let family = UInt8(ascii: address.isIPv6 ? "6" : "4")
        let port = [UInt8(truncatingIfNeeded: address.port >> 8), UInt8(truncatingIfNeeded: address.port)]
        return MilterPacket.string(client.clientName) + [family] + port + MilterPacket.string(address.text)
    }

    private static func bare(_ path: String) -> String { path.filter { $0 != "<" && $0 != ">" } }
}

extension MilterSession {
    /// A header with CRLF line ends.
    package static func withCRLF(_ header: [UInt8]) -> [UInt8] {
        var previous: UInt8 = 0
        return withCRLF(header, previous: &previous)
    }

    /// A part of a body with CRLF line ends. `previous` is the octet before it and becomes its last one.
    package static func withCRLF(_ part: [UInt8], previous: inout UInt8) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(part.count + part.count / 32)
        for byte in part {
            if byte == ASCII.lf, previous != ASCII.cr { result.append(ASCII.cr) }
            result.append(byte)
            previous = byte
        }
        return result
    }
}
