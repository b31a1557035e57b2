import Bytes

/// What MAIL says beside the reverse-path: how the message is encoded (RFC 6152, RFC 3030, RFC 6531), whether it must
/// stay encrypted (RFC 8689), and what notifications about it should hold (RFC 3461 4.3, 4.4).
package struct MailParameters: Equatable, Hashable, Sendable {
    package enum Body: String, Sendable {
        case sevenBit = "7BIT"
        case eightBit = "8BITMIME"
        case binary = "BINARYMIME"
    }

    package enum Returned: String, Sendable {
        case full = "FULL"
        case headers = "HDRS"
    }

    /// Nil when it was not said.
    package var body: Body?
    package var smtpUTF8 = false
    package var requiresTLS = false
    package var returned: Returned?
    /// ENVID as it stands in the command: xtext.
    package var envelopeID: String?

    package init() {}

    /// ` BODY=8BITMIME RET=HDRS`, for a command: nothing, or each parameter with a space before it.
    package var text: String {
        (body.map { " BODY=\($0.rawValue)" } ?? "") + (smtpUTF8 ? " SMTPUTF8" : "") + (requiresTLS ? " REQUIRETLS" : "")
            + (returned.map { " RET=\($0.rawValue)" } ?? "") + (envelopeID.map { " ENVID=\($0)" } ?? "")
    }

    /// Takes a parameter in; false when it is none of these, or its value is wrong.
    package mutating func take(keyword: String, value: String?) -> Bool {
        switch (keyword, value) {
        case ("BODY", let value?):
            guard let body = Body(rawValue: value.uppercased()) else { return false }
            self.body = body
        case ("SMTPUTF8", nil): smtpUTF8 = true
        case ("REQUIRETLS", nil): requiresTLS = true
        case ("RET", let value?):
            guard let returned = Returned(rawValue: value.uppercased()) else { return false }
            self.returned = returned
        case ("ENVID", let value?):
            guard !value.isEmpty, value.utf8.count <= 100, Xtext.decode(value) != nil else { return false }
            envelopeID = value
        default: return false
        }
        return true
    }
}

/// What RCPT says beside the forward-path: when the sender wants to hear of it (RFC 3461 4.1), and which address the
/// sender wrote (4.2).
package struct RecipientParameters: Equatable, Hashable, Sendable {
    /// NOTIFY; nil when it was not said: then failures are told, and delays may be.
    package var notify: Notify?
    /// ORCPT as it stands in the command: `rfc822;` and xtext.
    package var originalRecipient: String?

    package init() {}

    /// The value of NOTIFY; empty for NEVER.
    package struct Notify: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let success = Notify(rawValue: 1)
        package static let failure = Notify(rawValue: 2)
        package static let delay = Notify(rawValue: 4)

        private static let names: [(word: String, option: Notify)] = [
            ("SUCCESS", .success), ("FAILURE", .failure), ("DELAY", .delay),
        ]

        /// Reads `NEVER` alone, or a list of SUCCESS, FAILURE and DELAY with commas; nil for anything else.
        package init?(_ text: String) {
            let words = text.uppercased().split(separator: ",", omittingEmptySubsequences: false)
            if words == ["NEVER"] {
                self = []
                return
            }
            self = []
            for word in words {
                guard let option = Notify.names.first(where: { $0.word == word })?.option, insert(option).inserted
                else {
                    return nil
                }
            }
        }

        package var text: String {
            isEmpty ? "NEVER" : Notify.names.filter { contains($0.option) }.map(\.word).joined(separator: ",")
        }
    }

    /// ` NOTIFY=SUCCESS ORCPT=rfc822;a@example.org`, for a command.
    package var text: String {
        (notify.map { " NOTIFY=\($0.text)" } ?? "") + (originalRecipient.map { " ORCPT=\($0)" } ?? "")
    }

    /// Takes a parameter in; false when it is none of these, or its value is wrong.
    package mutating func take(keyword: String, value: String?) -> Bool {
        switch (keyword, value) {
        case ("NOTIFY", let value?):
            guard let notify = Notify(value) else { return false }
            self.notify = notify
        case ("ORCPT", let value?):
            let sides = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
            guard value.utf8.count <= 500, sides.count == 2, !sides[0].isEmpty, !sides[1].isEmpty,
                sides[0].utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash }),
                Xtext.decode(String(sides[1])) != nil
            else { return false }
            originalRecipient = value
        default: return false
        }
        return true
    }

    /// The address of ORCPT without its type and encoding; nil when there is none.
    package var originalAddress: (type: String, address: String)? {
        guard let sides = originalRecipient?.split(separator: ";", maxSplits: 1), sides.count == 2,
            let address = Xtext.decode(String(sides[1]))
        else { return nil }
        return (String(sides[0]), address)
    }
}

/// Text in a parameter, with `+` and two hexadecimal digits for what cannot stand there (RFC 3461 4).
package enum Xtext {
    package static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            byte > ASCII.space && byte < ASCII.delete && byte != ASCII.plus && byte != ASCII.equals
                ? [byte].text : "+" + Hexadecimal.encode([byte]).uppercased()
        }.joined()
    }

    /// Nil when the text is no xtext. Octets beyond ASCII are taken as they are (RFC 6533 3: utf-8-addr-unitext).
    package static func decode(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            guard byte > ASCII.space, byte != ASCII.delete, byte != ASCII.equals else { return nil }
            guard byte == ASCII.plus else {
                decoded.append(byte)
                place += 1
                continue
            }
            guard place + 2 < bytes.count, let high = bytes[place + 1].hexadecimalValue,
                let low = bytes[place + 2].hexadecimalValue
            else { return nil }
            decoded.append(high << 4 | low)
            place += 3
        }
        return decoded.text
    }
}
