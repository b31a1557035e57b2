import Bytes

// The protocol in one place: every command with its rules (RFC 5321 4.1.1).
extension ServerSession {
    mutating func command(_ line: [UInt8]) -> Step? {
        let (verb, argument) = ServerSession.split(line)
        if configuration.requiresTLS, !isTLS, ServerSession.needingTLS.contains(verb) {
            return verb == "BDAT" ? beginChunk(argument, refusal: .needsTLS) : mistake(.needsTLS)
        }
        switch verb {
        case "EHLO": return hello(argument, extended: true)  // 4.1.1.1; again, it resets (4.1.4)
        case "HELO": return hello(argument, extended: false)
        case "LHLO": return hello(argument, isLMTP: true, extended: true)  // RFC 2033 4.1
        case "MAIL": return mail(argument)  // 4.1.1.2
        case "RCPT": return recipient(argument)  // 4.1.1.3
        case "DATA": return argument.isEmpty ? data() : mistake(.takesNoArgument)  // 4.1.1.4
        case "BDAT": return beginChunk(argument)  // RFC 3030
        case "RSET":  // 4.1.1.5
            guard argument.isEmpty else { return mistake(.takesNoArgument) }
            let step = reset()
            _ = answer(Reply(250, "2.0.0", "ok"))
            return step
        case "NOOP": return answer(Reply(250, "2.0.0", "ok"))  // 4.1.1.9; the argument is ignored
        case "VRFY": return verify(argument)
        case "EXPN": return expand(argument)
        case "ETRN": return startQueue(argument)
        case "HELP": return help()  // 4.1.1.8
        case "QUIT":  // 4.1.1.10
            guard argument.isEmpty else { return mistake(.takesNoArgument) }
            end(with: Reply(221, "2.0.0", "\(hostName) closes the connection"))
            return .close
        case "STARTTLS": return startTLS(argument)  // RFC 3207
        case "AUTH": return authenticate(argument)  // RFC 4954
        case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI":
            // A browser that was lured here speaks HTTP; the rest of its request must not be read as commands.
            end(with: Reply(554, "5.5.1", "this is a mail server"))
            return .close
        default: return mistake(.noSuchCommand)
        }
    }

    /// What waits for TLS where TLS is required: all but greetings, NOOP, STARTTLS and QUIT (RFC 3207 4). AUTH has an answer of its
    /// own.
    private static let needingTLS: Set = ["MAIL", "RCPT", "DATA", "BDAT", "RSET", "VRFY", "EXPN", "ETRN", "HELP"]

    /// The driver answers a command itself. The octets of a chunk are no commands even so.
    mutating func refuseCommand(_ line: [UInt8], _ reply: Reply) {
        let (verb, argument) = ServerSession.split(line)
        if verb == "BDAT" {
            _ = beginChunk(argument, refusal: reply)
        } else {
            say(reply)
        }
    }

    private mutating func hello(_ argument: [UInt8], isLMTP: Bool = false, extended: Bool) -> Step? {
        guard isLMTP == configuration.isLMTP else {
            return mistake(
                Reply(500, "5.5.1", configuration.isLMTP ? "this is LMTP: say LHLO" : "this is SMTP: say EHLO"))
        }
        guard !argument.isEmpty else { return mistake(Reply(501, "5.5.4", "the client's name belongs here")) }
        let step = greeted(argument.text, extended: extended)
        guard extended else {
            _ = answer(Reply(250, nil, hostName))
            return step
        }
        // RFC 1870 4: 0 says that there is no limit.
        let size = maximumSize == .max ? 0 : maximumSize
        var lines = [
            hostName, "PIPELINING", "SIZE \(size)", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN",
            "ENHANCEDSTATUSCODES", "LIMITS RCPTMAX=\(configuration.maximumRecipients)",
        ]
        if configuration.offersTLS, !isTLS { lines.append("STARTTLS") }
        if isTLS { lines.append("REQUIRETLS") }
        if !mechanisms.isEmpty, user == nil { lines.append("AUTH " + mechanisms.joined(separator: " ")) }
        if configuration.offersETRN { lines.append("ETRN") }
        lines.append("HELP")
        _ = answer(Reply(250, nil, lines: lines))
        return step
    }

    private mutating func data() -> Step? {
        guard let envelope else { return mistake(Reply(503, "5.5.1", "say MAIL first")) }
        guard incoming == nil else { return mistake(Reply(503, "5.5.1", "the message comes by BDAT")) }  // RFC 3030 2
        guard envelope.parameters.body != .binary else {
            return mistake(Reply(503, "5.5.1", "a binary message comes by BDAT"))  // RFC 3030 3
        }
        guard recipientCount > 0 else {
            // RFC 2033 4.2 wants 503 here.
            return mistake(Reply(configuration.isLMTP ? 503 : 554, "5.5.1", "there is no valid recipient"))
        }
        return beginData(envelope)
    }

    /// RFC 5321 3.5.3: what is not to be told is 252.
    private mutating func verify(_ argument: [UInt8]) -> Step? {
        guard let text = userText(argument) else { return mistake(Reply(501, "5.5.4", "VRFY needs a name")) }
        guard configuration.showsUsers else {
            return answer(Reply(252, "2.5.0", "cannot verify, but mail for it is tried to be delivered"))
        }
        return ask(.answering, .verify(text))
    }

    private mutating func expand(_ argument: [UInt8]) -> Step? {
        guard let text = userText(argument) else {
            return mistake(Reply(501, "5.5.4", "EXPN needs the name of a list"))
        }
        guard configuration.showsUsers else { return answer(Reply(502, "5.5.1", "lists are not shown")) }
        return ask(.answering, .expand(text))
    }

    /// The argument of VRFY or EXPN, which may end with SMTPUTF8 (RFC 6531 3.7.4.2).
    private func userText(_ argument: [UInt8]) -> String? {
        var words = argument.split(separator: ASCII.space)
        if words.count > 1, words[words.count - 1].equalsIgnoringCase("SMTPUTF8") { words.removeLast() }
        return words.isEmpty ? nil : words.map(\.text).joined(separator: " ")
    }

    /// RFC 1985.
    private mutating func startQueue(_ argument: [UInt8]) -> Step? {
        guard configuration.offersETRN else { return mistake(Reply(502, "5.5.1", "ETRN is not offered")) }
        guard clientName != nil, !isInTransaction else { return mistake(.badSequence) }
        guard !argument.isEmpty else { return mistake(Reply(501, "5.5.4", "ETRN needs a domain")) }
        return ask(.answering, .flushQueue(argument.text))
    }

    private mutating func help() -> Step? {
        var verbs = configuration.isLMTP ? "LHLO" : "EHLO HELO"
        verbs += " MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT"
        if configuration.offersTLS { verbs += " STARTTLS" }
        if !mechanisms.isEmpty { verbs += " AUTH" }
        if configuration.offersETRN { verbs += " ETRN" }
        return answer(Reply(214, "2.0.0", verbs, "RFC 5321 says what they do"))
    }

    private mutating func startTLS(_ argument: [UInt8]) -> Step? {
        guard argument.isEmpty else { return mistake(.takesNoArgument) }
        guard configuration.offersTLS else { return mistake(Reply(502, "5.5.1", "TLS is not offered")) }
        guard !isTLS else { return mistake(Reply(503, "5.5.1", "TLS is there already")) }
        guard !isInTransaction else { return mistake(Reply(503, "5.5.1", "not within a transaction")) }
        say(Reply(220, "2.0.0", "begin TLS"))
        return .startTLS
    }
}
