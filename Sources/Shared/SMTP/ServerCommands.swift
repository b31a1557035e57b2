import Bytes

// The protocol in one place: every command with its rules (RFC 5321 4.1.1).
extension ServerSession {
    mutating func command(_ line: [UInt8]) -> Step? {
        if line.contains(where: { $0 == ASCII.lf || $0 == ASCII.cr || $0 == ASCII.nul }) {
            return mistake(.bareLineEnd)
        }
        let trimmed = line[..<(line.lastIndex { !$0.isSpaceOrTab }.map { $0 + 1 } ?? 0)]
        let verbEnd = trimmed.firstIndex { $0 == ASCII.space } ?? trimmed.endIndex
        let verb = trimmed[..<verbEnd].map(\.asciiUppercased).text
        let argument = Array(trimmed[verbEnd...].drop { $0.isSpaceOrTab })

        switch verb {
        case "EHLO": return hello(argument, extended: true)  // 4.1.1.1; again, it resets (4.1.4)
        case "HELO": return hello(argument, extended: false)
        case "MAIL": return mail(argument)  // 4.1.1.2
        case "RCPT": return recipient(argument)  // 4.1.1.3
        case "DATA": return argument.isEmpty ? data() : mistake(.takesNoArgument)  // 4.1.1.4
        case "RSET":  // 4.1.1.5
            guard argument.isEmpty else { return mistake(.takesNoArgument) }
            reset()
            return answer(Reply(250, "2.0.0", "ok"))
        case "NOOP": return answer(Reply(250, "2.0.0", "ok"))  // 4.1.1.9; the argument is ignored
        case "VRFY":  // 3.5.3
            guard !argument.isEmpty else { return mistake(Reply(501, "5.5.4", "VRFY needs a name")) }
            return answer(Reply(252, "2.5.0", "cannot verify, but mail for it is tried to be delivered"))
        case "EXPN":  // 3.5.2
            guard !argument.isEmpty else { return mistake(Reply(501, "5.5.4", "EXPN needs the name of a list")) }
            return answer(Reply(502, "5.5.1", "lists are not shown"))
        case "HELP": return help()  // 4.1.1.8
        case "QUIT":  // 4.1.1.10
            guard argument.isEmpty else { return mistake(.takesNoArgument) }
            end(with: Reply(221, "2.0.0", "\(hostName) closes the connection"))
            return .close
        case "STARTTLS": return startTLS(argument)  // RFC 3207
        case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT":
            // A browser that was lured here speaks HTTP; the rest of its request must not be read as commands.
            end(with: Reply(554, "5.5.1", "this is a mail server"))
            return .close
        default: return mistake(.noSuchCommand)
        }
    }

    private mutating func hello(_ argument: [UInt8], extended: Bool) -> Step? {
        guard !argument.isEmpty else {
            return mistake(Reply(501, "5.5.4", "\(extended ? "EHLO" : "HELO") needs the client's name"))
        }
        greeted(argument.text, extended: extended)
        guard extended else { return answer(Reply(250, nil, hostName)) }
        var lines = [hostName, "PIPELINING", "SIZE \(maximumSize)", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if offersTLS, !isTLS { lines.append("STARTTLS") }
        lines.append("HELP")
        return answer(Reply(250, nil, lines: lines))
    }

    private mutating func mail(_ argument: [UInt8]) -> Step? {
        guard clientName != nil else { return mistake(Reply(503, "5.5.1", "say EHLO first")) }
        guard !requiresTLS || isTLS else { return mistake(Reply(530, "5.7.0", "say STARTTLS first")) }
        guard !isInTransaction else { return mistake(Reply(503, "5.5.1", "there is a sender already")) }
        guard let rest = after("FROM:", argument) else {
            return mistake(Reply(501, "5.5.4", "the syntax is MAIL FROM:<address>"))
        }
        if rest.contains(where: { $0 >= 0x80 }) {
            return mistake(Reply(553, "5.6.7", "addresses outside of ASCII are not supported"))
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
            switch (parameter.keyword, parameter.value.map { $0.asciiLowercased }) {
            case ("SIZE", .some(let digits)):  // RFC 1870
                guard digits.utf8.count <= 20, digits.utf8.allSatisfy(\.isASCIIDigit) else {
                    return mistake(Reply(501, "5.5.4", "SIZE needs a number"))
                }
                let size = Int(digits) ?? .max
                guard size <= maximumSize else {
                    return answer(Reply(552, "5.3.4", "a message may have \(maximumSize) bytes"))
                }
                envelope.declaredSize = size
            case ("BODY", "7bit"): break  // RFC 6152
            case ("BODY", "8bitmime"): envelope.is8Bit = true
            case ("SIZE", _), ("BODY", _):
                return mistake(Reply(501, "5.5.4", "\(parameter.keyword) cannot be read"))
            default: return mistake(Reply(555, "5.5.4", "parameter \(parameter.keyword) is not known"))
            }
        }
        begin(envelope)
        return answer(Reply(250, "2.1.0", "sender ok"))
    }

    private mutating func recipient(_ argument: [UInt8]) -> Step? {
        guard isInTransaction else { return mistake(Reply(503, "5.5.1", "say MAIL first")) }
        guard let rest = after("TO:", argument) else {
            return mistake(Reply(501, "5.5.4", "the syntax is RCPT TO:<address>"))
        }
        if rest.contains(where: { $0 >= 0x80 }) {
            return mistake(Reply(553, "5.6.7", "addresses outside of ASCII are not supported"))
        }
        var parser = PathParser(rest)
        guard let path = parser.parse(), !path.isNull,
            !path.domain.isEmpty || path.localPart.equalsIgnoringCase("postmaster")  // 4.5.1
        else { return mistake(Reply(501, "5.1.3", "the recipient's address is not an address")) }
        guard let parameters = Parameter.parse(parser.rest) else {
            return mistake(Reply(501, "5.5.4", "the parameters cannot be read"))
        }
        if let parameter = parameters.first {
            return mistake(Reply(555, "5.5.4", "parameter \(parameter.keyword) is not known"))
        }
        guard recipientCount < maximumRecipients else {  // 4.5.3.1.10: those accepted stay
            return answer(Reply(452, "4.5.3", "too many recipients, send the rest in another transaction"))
        }
        mistakes = 0
        return check(path)
    }

    private mutating func data() -> Step? {
        guard isInTransaction else { return mistake(Reply(503, "5.5.1", "say MAIL first")) }
        guard recipientCount > 0 else { return mistake(Reply(554, "5.5.1", "there is no valid recipient")) }
        return beginData()
    }

    private mutating func help() -> Step? {
        answer(
            Reply(
                214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY EXPN HELP QUIT" + (offersTLS ? " STARTTLS" : ""),
                "RFC 5321 says what they do"))
    }

    private mutating func startTLS(_ argument: [UInt8]) -> Step? {
        guard argument.isEmpty else { return mistake(.takesNoArgument) }
        guard offersTLS else { return mistake(Reply(502, "5.5.1", "TLS is not offered")) }
        guard !isTLS else { return mistake(Reply(503, "5.5.1", "TLS is there already")) }
        say(Reply(220, "2.0.0", "begin TLS"))
        return .startTLS
    }

    /// What follows `FROM:` or `TO:`; a space after the colon is tolerated.
    private func after(_ keyword: String, _ argument: [UInt8]) -> [UInt8]? {
        let count = keyword.utf8.count
        guard argument.count >= count, argument[..<count].text.equalsIgnoringCase(keyword) else { return nil }
        return Array(argument[count...].drop { $0 == ASCII.space })
    }
}
