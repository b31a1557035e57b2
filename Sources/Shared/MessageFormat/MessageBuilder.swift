import Bytes

/// Builds messages by RFC 5322 and MIME, with CRLF line ends and lines of at most 998 characters.
///
///     var builder = MessageBuilder(from: [sender], to: [recipient], subject: "Café", text: "Bonjour")
///     builder.attachments.append(.file(name: "été.pdf", type: "application/pdf", bytes))
///     let message = builder.build(date: DateTime(epoch: now, offset: 0), host: "mail.example.org")
package struct MessageBuilder: Sendable {
    /// A field as it is given: text is encoded where it needs to be.
    package struct Field: Sendable {
        package var name: String
        package var value: Value

        package enum Value: Sendable {
            case text(String)
            case addresses([Address])
            /// Written as it is, folded at white space.
            case structured(String)
        }

        package init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }

        var bytes: [UInt8] {
            switch value {
            case .text(let text): HeaderComposition.field(name, text)
            case .addresses(let addresses): HeaderComposition.addressField(name, addresses)
            case .structured(let text): HeaderComposition.structuredField(name, text)
            }
        }
    }

    /// In the order in which they are written. Date, Message-ID and MIME-Version are added when they are not there.
    package var fields: [Field] = []
    /// The text of the message.
    package var text: String
    package var attachments: [ComposedPart] = []
    /// Takes the place of the text, when it is there.
    package var body: ComposedPart?

    package init(text: String = "") { self.text = text }

    package init(from: [Address], to: [Address], subject: String?, text: String) {
        self.text = text
        fields.append(Field("From", .addresses(from)))
        if !to.isEmpty { fields.append(Field("To", .addresses(to))) }
        if let subject { fields.append(Field("Subject", .text(subject))) }
    }

    /// The message. `host` is the right side of the Message-ID.
    package func build(date: DateTime, host: String) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return build(date: date, host: host, using: &generator)
    }

    /// The message, its identifier and boundaries by the given generator.
    package func build(date: DateTime, host: String, using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var all: [Field] = []
        if !has("Date") { all.append(Field("Date", .structured(date.text))) }
        all += fields
        if !has("Message-ID") {
            let unique = MessageBuilder.unique(&generator)
            let host = host.isEmpty ? "localhost" : host
            all.append(Field("Message-ID", .structured("<\(date.epoch).\(unique)@\(host)>")))
        }
        if !has("MIME-Version") { all.append(Field("MIME-Version", .structured("1.0"))) }
        var message: [UInt8] = []
        for field in all where HeaderComposition.isFieldName(field.name) { message += field.bytes }
        if !has("Content-Type") {
            root.append(to: &message, using: &generator)
        } else {
            // The caller's own Content-Type: the text is the body as it is.
            message += [ASCII.cr, ASCII.lf]
            if case .text(let bytes) = root.content { message += ComposedPart.canonical(bytes) }
        }
        return message
    }

    private var root: ComposedPart {
        let body = body ?? ComposedPart.text(text)
        return attachments.isEmpty ? body : .multipart("mixed", [body] + attachments)
    }

    private func has(_ name: String) -> Bool { fields.contains { $0.name.equalsIgnoringCase(name) } }

    /// 22 letters and digits: 113 random bits and more.
    static func unique(_ generator: inout some RandomNumberGenerator) -> String {
        let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
        return (0..<22).map { _ in digits[Int.random(in: 0..<digits.count, using: &generator)] }.text
    }
}
