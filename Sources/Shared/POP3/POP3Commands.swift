import Bytes

// The protocol in one place: every command with its rules (RFC 1939).
extension POP3Session {
    mutating func command(_ line: [UInt8]) -> Step? {
        guard !line.contains(ASCII.nul) else { return refuse("a line holds no NUL") }
        let text = UTF8Text.repaired(line.span)
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let verb = (parts.first ?? "").asciiLowercased
        let argument = parts.count > 1 ? parts[1] : nil

        switch verb {
        case "capa": return argument == nil ? capabilities() : refuse("CAPA takes no argument")  // RFC 2449
        case "quit": return argument == nil ? quit() : refuse("QUIT takes no argument")  // 4, 6
        case "noop" where isLoggedIn:  // 5
            say("+OK")
            return nil
        case "user" where !isLoggedIn: return name(argument)  // 7
        case "pass" where !isLoggedIn: return password(argument)
        case "apop" where !isLoggedIn: return apop(argument)
        case "stls" where !isLoggedIn: return startTLS(argument)  // RFC 2595
        case "stat" where isLoggedIn: return argument == nil ? status() : refuse("STAT takes no argument")  // 5
        case "list" where isLoggedIn: return listing(argument, "scan listing") { "\($0.octets)" }
        case "uidl" where isLoggedIn: return listing(argument, "unique-id listing") { $0.uniqueID }  // 7
        case "retr" where isLoggedIn: return retrieve(argument)
        case "dele" where isLoggedIn: return delete(argument)
        case "rset" where isLoggedIn:
            deleted = []
            say("+OK nothing is marked as deleted")
            return nil
        case "top" where isLoggedIn: return top(argument)  // 7
        case "user", "pass", "apop", "stls": return refuse("the login is over")
        case "stat", "list", "uidl", "retr", "dele", "rset", "top", "noop": return refuse("log in first")
        default: return refuse("unknown command")
        }
    }

    private mutating func refuse(_ reason: String) -> Step? {
        say("-ERR \(reason)")
        return nil
    }

    // MARK: Any state

    private mutating func capabilities() -> Step? {
        say("+OK capabilities follow")
        for tag in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"] { say(tag) }
        if mayLogIn { say("USER") }
        if configuration.offersTLS, !isTLS, !isLoggedIn { say("STLS") }
        say("IMPLEMENTATION Facteur")
        say(".")
        return nil
    }

    private mutating func quit() -> Step? {
        guard isLoggedIn else {
            say("+OK goodbye")
            return close()
        }
        return work(.remove(deleted.sorted()))
    }

    // MARK: Authorization

    private var mayLogIn: Bool { isTLS || configuration.allowsPlaintext }

    private mutating func name(_ argument: String?) -> Step? {
        guard mayLogIn else { return refuse("passwords are sent over TLS only, say STLS first") }
        guard let argument, !argument.isEmpty else { return refuse("USER needs a name") }
        // The answer is the same for names that are not known.
        user = argument
        say("+OK now the password")
        return nil
    }

    private mutating func password(_ argument: String?) -> Step? {
        guard let user else { return refuse("say USER first") }
        // A password may hold spaces.
        return work(.login(user: user, proof: .password(argument ?? "")))
    }

    private mutating func apop(_ argument: String?) -> Step? {
        guard configuration.timestamp != nil else { return refuse("APOP is not offered") }
        let words = (argument ?? "").split(separator: " ").map(String.init)
        guard words.count == 2 else { return refuse("the syntax is APOP name digest") }
        return work(.login(user: words[0], proof: .apop(digest: words[1].asciiLowercased)))
    }

    private mutating func startTLS(_ argument: String?) -> Step? {
        guard argument == nil else { return refuse("STLS takes no argument") }
        guard configuration.offersTLS else { return refuse("TLS is not offered") }
        guard !isTLS else { return refuse("TLS is there already") }
        say("+OK begin TLS")
        return .startTLS
    }

    // MARK: Transaction

    /// The messages that are not marked as deleted.
    private var present: [(index: Int, message: MaildropMessage)] {
        (maildrop ?? []).enumerated().filter { !deleted.contains($0.offset) }.map { ($0.offset, $0.element) }
    }

    private mutating func status() -> Step? {
        let present = present
        say("+OK \(present.count) \(present.reduce(0) { $0 + $1.message.octets })")
        return nil
    }

    private mutating func listing(
        _ argument: String?, _ title: String, _ value: (MaildropMessage) -> String
    ) -> Step? {
        if let argument {
            guard let index = index(argument), let message = maildrop?[index] else { return nil }
            say("+OK \(index + 1) \(value(message))")
            return nil
        }
        say("+OK \(title) follows")
        for (index, message) in present { say("\(index + 1) \(value(message))") }
        say(".")
        return nil
    }

    private mutating func retrieve(_ argument: String?) -> Step? {
        guard let index = index(argument) else { return nil }
        return work(.retrieve(index, bodyLines: nil))
    }

    private mutating func top(_ argument: String?) -> Step? {
        let words = (argument ?? "").split(separator: " ").map(String.init)
        guard words.count == 2, words[1].utf8.allSatisfy(\.isASCIIDigit) else {
            return refuse("the syntax is TOP message lines")
        }
        guard let index = index(words[0]) else { return nil }
        return work(.retrieve(index, bodyLines: Int(words[1]) ?? .max))
    }

    private mutating func delete(_ argument: String?) -> Step? {
        guard let index = index(argument) else { return nil }
        deleted.insert(index)
        say("+OK message \(index + 1) is marked as deleted")
        return nil
    }

    /// The message that a number names; says why not when there is none.
    private mutating func index(_ argument: String?) -> Int? {
        let text = argument?.split(separator: " ").map(String.init) ?? []
        guard text.count == 1, text[0].utf8.allSatisfy(\.isASCIIDigit), let number = Int(text[0]) else {
            say("-ERR which message?")
            return nil
        }
        guard number >= 1, number <= maildrop?.count ?? 0 else {
            say("-ERR there is no such message")
            return nil
        }
        guard !deleted.contains(number - 1) else {
            say("-ERR the message is marked as deleted")
            return nil
        }
        return number - 1
    }
}
