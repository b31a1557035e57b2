import Bytes

// MAIL and RCPT with their parameters (RFC 5321 4.1.1.2 and 4.1.1.3).
extension ServerSession {
    mutating func mail(_ argument: [UInt8]) -> Step? {
        guard clientName != nil else { return mistake(Reply(503, "5.5.1", "say EHLO first")) }
        guard !isInTransaction else { return mistake(Reply(503, "5.5.1", "there is a sender already")) }
        guard let rest = after("FROM:", argument) else {
            return mistake(Reply(501, "5.5.4", "the syntax is MAIL FROM:<address>"))
        }
        var parser = PathParser(rest)
        guard let path = parser.parse(), path.isNull || !path.domain.isEmpty else {
            return mistake(Reply(501, "5.1.7", "the sender's address is not an address"))
        }
        guard let parameters = Parameter.parse(parser.rest) else {
            return mistake(Reply(501, "5.5.4", "the parameters cannot be read"))
        }
        var envelope = Envelope(reversePath: path)
        for parameter in parameters {
            if let refusal = take(parameter, into: &envelope) {
                return refusal.code == 552 ? answer(refusal) : mistake(refusal)
            }
        }
        if !envelope.parameters.smtpUTF8, rest.contains(where: { $0 >= 0x80 }) { return mistake(.needsUTF8) }
        return ask(.checkingSender(envelope), .checkSender(envelope))
    }

    /// One parameter of MAIL; the reply that refuses it.
    private func take(_ parameter: Parameter, into envelope: inout Envelope) -> Reply? {
        let unreadable = Reply(501, "5.5.4", "\(parameter.keyword) cannot be read")
        switch (parameter.keyword, parameter.value) {
        case ("SIZE", let digits?):  // RFC 1870
            guard digits.utf8.count <= 20, digits.utf8.allSatisfy(\.isASCIIDigit) else { return unreadable }
            let size = Int(digits) ?? .max
            guard size <= maximumSize else {
                return Reply(552, "5.3.4", "a message may have \(maximumSize) bytes")
            }
            envelope.declaredSize = size
        case ("REQUIRETLS", nil) where !isTLS: return Reply(530, "5.7.10", "REQUIRETLS needs TLS")  // RFC 8689
        case ("AUTH", let text) where !mechanisms.isEmpty:  // RFC 4954 5: who had submitted it, which is not used
            guard let text, Xtext.decode(text) != nil else { return unreadable }
        case ("SIZE", _): return unreadable
        case ("BODY", _), ("SMTPUTF8", _), ("RET", _), ("ENVID", _), ("REQUIRETLS", _):
            guard envelope.parameters.take(keyword: parameter.keyword, value: parameter.value) else {
                return unreadable
            }
        default: return Reply(555, "5.5.4", "parameter \(parameter.keyword) is not known")
        }
        return nil
    }

    mutating func recipient(_ argument: [UInt8]) -> Step? {
        guard isInTransaction else { return mistake(Reply(503, "5.5.1", "say MAIL first")) }
        guard incoming == nil else { return mistake(Reply(503, "5.5.1", "the message is on its way already")) }
        guard let rest = after("TO:", argument) else {
            return mistake(Reply(501, "5.5.4", "the syntax is RCPT TO:<address>"))
        }
        var parser = PathParser(rest)
        guard let path = parser.parse(), !path.isNull,
            !path.domain.isEmpty || path.localPart.equalsIgnoringCase("postmaster")  // 4.5.1
        else { return mistake(Reply(501, "5.1.3", "the recipient's address is not an address")) }
        if !(envelope?.parameters.smtpUTF8 ?? false), rest.contains(where: { $0 >= 0x80 }) {
            return mistake(.needsUTF8)
        }
        guard let parameters = Parameter.parse(parser.rest) else {
            return mistake(Reply(501, "5.5.4", "the parameters cannot be read"))
        }
        var recipient = EnvelopeRecipient(path)
        for parameter in parameters {
            if let refusal = take(parameter, into: &recipient) { return mistake(refusal) }
        }
        guard recipientCount < configuration.maximumRecipients else {  // 4.5.3.1.10: those accepted stay
            return answer(Reply(452, "4.5.3", "too many recipients, send the rest in another transaction"))
        }
        return ask(.checkingRecipient(recipient), .checkRecipient(recipient))
    }

    /// One parameter of RCPT (RFC 3461 4.1 and 4.2); the reply that refuses it.
    private func take(_ parameter: Parameter, into recipient: inout EnvelopeRecipient) -> Reply? {
        guard ["NOTIFY", "ORCPT"].contains(parameter.keyword) else {
            return Reply(555, "5.5.4", "parameter \(parameter.keyword) is not known")
        }
        return recipient.parameters.take(keyword: parameter.keyword, value: parameter.value)
            ? nil : Reply(501, "5.5.4", "\(parameter.keyword) cannot be read")
    }

    /// What follows `FROM:` or `TO:`; a space after the colon is tolerated.
    private func after(_ keyword: String, _ argument: [UInt8]) -> [UInt8]? {
        let count = keyword.utf8.count
        guard argument.count >= count, argument[..<count].text.equalsIgnoringCase(keyword) else { return nil }
        return Array(argument[count...].drop { $0 == ASCII.space })
    }
}
