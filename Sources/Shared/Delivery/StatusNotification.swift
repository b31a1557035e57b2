import Bytes
import MessageFormat
import SMTP
import Unix

/// A message that tells the sender what became of another (RFC 3464): in plain words, in fields for programs, and with
/// the message or its header.
///
/// A sender whose address is ASCII may have a server without SMTPUTF8, and nobody is told of a notification that cannot
/// be delivered: what such a sender gets is plain mail, whatever the addresses of the recipients are (RFC 6533 3, 4).
package struct StatusNotification: Sendable {
    package enum Action: String, Sendable {
        case failed, delayed, delivered
        /// Handed to a server that does not tell what becomes of it.
        case relayed
    }

    package struct Recipient: Sendable {
        package var path: String
        package var parameters: RecipientParameters
        package var action: Action
        package var answer: QueueAnswer
        /// In seconds since 1970.
        package var latestAttempt: Int
        /// With `delayed`: when it will be given up.
        package var retryUntil: Int?

        package init(
            path: String, parameters: RecipientParameters, action: Action, answer: QueueAnswer, latestAttempt: Int,
            retryUntil: Int? = nil
        ) {
            self.path = path
            self.parameters = parameters
            self.action = action
            self.answer = answer
            self.latestAttempt = latestAttempt
            self.retryUntil = retryUntil
        }
    }

    package let envelope: QueuedEnvelope
    /// All with the same action.
    package let recipients: [Recipient]
    /// This host.
    package let host: String
    /// The header of the message in question, with the empty line or without it.
    package let header: [UInt8]
    /// The whole message, when it is to be returned.
    package let message: [UInt8]?

    package init(
        envelope: QueuedEnvelope, recipients: [Recipient], host: String, header: [UInt8], message: [UInt8]?
    ) {
        self.envelope = envelope
        self.recipients = recipients
        self.host = host
        self.header = header
        self.message = message
    }

    /// The largest message that comes back whole with a notification, in octets; -1: the header alone does. The message
    /// itself belongs to a failure only (RFC 3461 4.3), and one that must stay encrypted does not come back (RFC 8689 5).
    package static func returnLimit(of action: Action, _ parameters: MailParameters) -> Int {
        switch (action, parameters.returned) {
        case _ where parameters.requiresTLS: -1
        case (.failed, .full): 10 << 20
        // Nobody has asked: a small one does no harm.
        case (.failed, nil): 65_536
        default: -1
        }
    }

    /// The envelope of the notification: nobody is told of what becomes of it (RFC 3461 6.1, RFC 5321 4.5.5).
    package func queuedEnvelope(arrival: Int) -> QueuedEnvelope {
        var recipient = QueuedEnvelope.Recipient(path: envelope.reversePath)
        recipient.parameters.notify = []
        var parameters = MailParameters()
        parameters.smtpUTF8 = isInternational
        // RFC 8689 5: what it tells of the message is to be kept as the message was.
        parameters.requiresTLS = envelope.parameters.requiresTLS
        return QueuedEnvelope(reversePath: "", parameters: parameters, recipients: [recipient], arrival: arrival)
    }

    /// The message. `now` is in seconds since 1970, `zone` in seconds east of UTC.
    package func build(now: Int, zone: Int) -> [UInt8] {
        var builder = MessageBuilder()
        builder.fields = [
            .init("From", .addresses([Address(name: "Mail delivery", address: "MAILER-DAEMON@\(host)")])),
            .init("To", .addresses([Address(name: nil, address: envelope.reversePath)])),
            .init("Subject", .text(subject)),
            // RFC 3834 5: nothing answers to this by itself.
            .init("Auto-Submitted", .structured("auto-replied")),
        ]
        if let id = originalID {
            builder.fields.append(.init("In-Reply-To", .structured(id)))
            builder.fields.append(.init("References", .structured(id)))
        }
        var report = ComposedPart.multipart("report", [.text(explanation), fieldsForPrograms, returned])
        report.parameters = [("report-type", "delivery-status")]
        builder.body = report
        return builder.build(date: DateTime(epoch: now, offset: zone), host: host)
    }

    private var action: Action { recipients.first?.action ?? .failed }

    /// The notification itself needs SMTPUTF8 (RFC 6531).
    private var isInternational: Bool { !envelope.reversePath.isASCII }

    /// The message in question is one of RFC 6532: with UTF-8 in its header.
    private var isOfInternational: Bool { envelope.parameters.smtpUTF8 }

    // MARK: - For people

    private var subject: String {
        let whom = recipients.count == 1 ? recipients.first?.path ?? "" : "\(recipients.count) recipients"
        return switch action {
        case .failed: "Not delivered to \(whom)"
        case .delayed: "Not delivered yet to \(whom)"
        case .delivered: "Delivered to \(whom)"
        case .relayed: "Handed on for \(whom)"
        }
    }

    private var explanation: String {
        let about = originalSubject.map { " \"\($0)\"" } ?? ""
        var text = "This is the mail system of \(host).\n\n"
        switch action {
        case .failed:
            text += "Your message\(about) could not be delivered to the following\n"
            text += "recipients, and it will not be tried again.\n"
        case .delayed:
            text += "Your message\(about) could not be delivered yet to the following\n"
            text += "recipients. It is still being tried; you need not send it again.\n"
        case .delivered: text += "Your message\(about) was delivered to the following recipients.\n"
        case .relayed:
            text += "Your message\(about) was handed to a server that does not report\n"
            text += "delivery, for the following recipients. You will hear only of failures.\n"
        }
        for recipient in recipients {
            text += "\n    \(recipient.path)\n"
            text += "    \(recipient.answer.words)\n"
            if action == .failed || action == .delayed, let advice = StatusText.advice(recipient.status) {
                text += "    \(advice)\n"
            }
            if let until = recipient.retryUntil {
                text += "    It will be tried until \(DateTime(epoch: until, offset: 0).text).\n"
            }
        }
        let what = message == nil ? "The header of your message" : "Your message"
        return text + "\nDetails for programs follow. \(what) is attached.\n"
    }

    // MARK: - For programs (RFC 3464 2)

    private var fieldsForPrograms: ComposedPart {
        var text = ""
        if let id = envelope.parameters.envelopeID, let decoded = Xtext.decode(id) {
            text += "Original-Envelope-Id: \(StatusText.line(decoded))\n"
        }
        text += "Reporting-MTA: dns; \(host)\n"
        text += "Arrival-Date: \(DateTime(epoch: envelope.arrival, offset: 0).text)\n"
        for recipient in recipients {
            text += "\n"
            if let (type, address) = recipient.parameters.originalAddress {
                text += "Original-Recipient: \(type); \(inField(address, type))\n"
            }
            let type = recipient.path.isASCII ? "rfc822" : "utf-8"
            text += "Final-Recipient: \(type); \(inField(recipient.path, type))\n"
            text += "Action: \(recipient.action.rawValue)\nStatus: \(recipient.status)\n"
            if let server = recipient.answer.remoteMTA { text += "Remote-MTA: \(server)\n" }
            if let code = recipient.answer.code {
                let words = [recipient.answer.enhanced, recipient.answer.text].compactMap { $0 }.joined(separator: " ")
                text += "Diagnostic-Code: smtp; \(code) \(inField(words, nil))\n"
            }
            text += "Last-Attempt-Date: \(DateTime(epoch: recipient.latestAttempt, offset: 0).text)\n"
            if let until = recipient.retryUntil {
                text += "Will-Retry-Until: \(DateTime(epoch: until, offset: 0).text)\n"
            }
        }
        let type = isInternational ? "message/global-delivery-status" : "message/delivery-status"
        return ComposedPart(type: type, .message(Array(text.utf8)))
    }

    /// Text of others as it may stand in a field: beyond ASCII only in an international notification. An address of type
    /// utf-8 goes into the form that RFC 6533 3 has for it, other characters become question marks.
    private func inField(_ text: String, _ addressType: String?) -> String {
        let line = StatusText.line(text)
        if isInternational || line.isASCII { return line }
        guard let addressType, addressType.equalsIgnoringCase("utf-8") else {
            return String(line.map { $0.isASCII ? $0 : "?" })
        }
        // An ORCPT may have come in this form.
        let isEncoded = line.contains("\\x{")
        return line.unicodeScalars.map { scalar in
            scalar.isASCII && (isEncoded || scalar != "\\")
                ? String(scalar) : "\\x{\(String(scalar.value, radix: 16, uppercase: true))}"
        }.joined()
    }

    /// The message or its header. Only `message/rfc822` cannot be encoded (RFC 2046 5.2.1): all other forms go without
    /// octets beyond ASCII to a sender whose server may not take them.
    private var returned: ComposedPart {
        switch (message, isOfInternational) {
        case (let message?, false): ComposedPart(type: "message/rfc822", .message(message))
        case (let message?, true): ComposedPart(type: "message/global", encoded(message))
        case (nil, false): ComposedPart(type: "text/rfc822-headers", encoded(header))
        case (nil, true): ComposedPart(type: "message/global-headers", encoded(header))
        }
    }

    private func encoded(_ bytes: [UInt8]) -> ComposedPart.Content {
        isInternational || UTF8Text.isASCII(bytes.span) ? .message(bytes) : .encodedMessage(bytes)
    }

    // MARK: - The message in question

    private func value(_ name: StaticString) -> [UInt8]? {
        let structure = MessageStructure(headerOf: header.span)
        return structure.fields.first { $0.isNamed(name, in: header.span) }?.value(in: header.span)
    }

    private var originalID: String? {
        value("Message-ID").map { $0.text.split(separator: " ").joined() }.flatMap { id in
            id.hasPrefix("<") && id.hasSuffix(">") && id.utf8.count < 250 ? id : nil
        }
    }

    private var originalSubject: String? {
        value("Subject").map { StatusText.line(HeaderText.decode($0).text) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension StatusNotification.Recipient {
    /// The enhanced status code of this recipient, of the class that belongs to the action.
    fileprivate var status: String {
        switch action {
        case .delivered, .relayed: answer.enhanced.flatMap { $0.hasPrefix("2.") ? $0 : nil } ?? "2.0.0"
        case .delayed: answer.enhanced.flatMap { $0.hasPrefix("4.") ? $0 : nil } ?? "4.4.7"
        case .failed:
            answer.enhanced.flatMap { $0.hasPrefix("4.") || $0.hasPrefix("5.") ? $0 : nil }
                ?? (answer.code.map { $0 / 100 == 4 } ?? false ? "4.4.7" : "5.0.0")
        }
    }
}

extension QueueAnswer {
    /// The server's name or address without its port; of a Unix socket its path.
    fileprivate var serverName: String? {
        guard let host, !host.hasPrefix("/"), let colon = host.lastIndex(of: ":") else {
            return host.map { StatusText.line($0) }
        }
        let name = host[..<colon]
        return StatusText.line(
            name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : "\(name)")
    }

    /// The server with the type of its name: a domain, or an address as the literal that RFC 3464 2.1.2 and RFC 5321
    /// 4.1.3 want.
    fileprivate var remoteMTA: String? {
        guard let serverName else { return nil }
        if serverName.hasPrefix("/") { return "x-unix-socket; \(serverName)" }
        guard let address = IPAddress(serverName) else { return "dns; \(serverName)" }
        return address.isIPv6 ? "dns; [IPv6:\(address)]" : "dns; [\(address)]"
    }

    /// One sentence of who said what.
    fileprivate var words: String {
        let said = [code.map(String.init), enhanced, text].compactMap { $0 }.joined(separator: " ")
        guard let serverName, code != nil else { return StatusText.line(said) }
        return "The server \(serverName) said: \(StatusText.line(said))"
    }
}
