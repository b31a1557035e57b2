import Bytes
import SASL

// The protocol in one place: every command with its rules.
extension POP3Session {
    mutating func command(_ line: [UInt8]) -> Step? {
        guard !line.contains(ASCII.nul) else { return refuse("a line holds no NUL") }
        let space = line.firstIndex(of: ASCII.space)
        let verb = String(decoding: line[..<(space ?? line.count)].prefix(16).map(\.asciiLowercased), as: UTF8.self)
        // Spaces at the end alone are no argument, but for a password.
        let rest = space.map { line[($0 + 1)...] }
        let argument = verb == "pass" || !(rest?.allSatisfy { $0 == ASCII.space } ?? false) ? rest : nil

        switch verb {
        case "capa": return argument == nil ? capabilities() : refuse("CAPA takes no argument")  // RFC 2449 5
        case "quit": return argument == nil ? quit() : refuse("QUIT takes no argument")  // RFC 1939 4, 6
        case "lang": return language(argument)  // RFC 6856 3

        case "user" where !isLoggedIn: return name(argument)  // RFC 1939 7
        case "pass" where !isLoggedIn: return password(argument)
        case "apop" where !isLoggedIn: return apop(argument)
        case "auth" where !isLoggedIn: return authenticate(argument)  // RFC 5034
        case "stls" where !isLoggedIn: return startTLS(argument)  // RFC 2595 4
        case "utf8" where !isLoggedIn:  // RFC 6856 2
            return argument == nil ? utf8() : refuse("UTF8 takes no argument")

        case "stat" where isLoggedIn: return argument == nil ? status() : refuse("STAT takes no argument")  // 5
        case "list" where isLoggedIn: return list(argument, ofIDs: false)
        case "uidl" where isLoggedIn: return list(argument, ofIDs: true)  // 7
        case "retr" where isLoggedIn: return retrieve(argument)
        case "top" where isLoggedIn: return top(argument)  // 7
        case "dele" where isLoggedIn: return delete(argument)
        case "rset" where isLoggedIn: return argument == nil ? reset() : refuse("RSET takes no argument")
        case "noop" where isLoggedIn: return argument == nil ? noOperation() : refuse("NOOP takes no argument")

        case "user", "pass", "apop", "auth", "stls", "utf8": return refuse("the login is over")
        case "stat", "list", "uidl", "retr", "dele", "rset", "top", "noop": return refuse("log in first")
        default: return refuse("unknown command")
        }
    }

    // MARK: Any state

    private mutating func capabilities() -> Step? {
        say("+OK capabilities follow")
        for tag in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"] { say(tag) }
        say("EXPIRE \(expiryText)")
        say("LOGIN-DELAY \(configuration.loginDelay)")
        if maySendSecrets { say("USER") }
        let mechanisms = offeredMechanisms
        if !mechanisms.isEmpty { say("SASL " + mechanisms.map(\.rawValue).joined(separator: " ")) }
        if configuration.offersTLS, !isTLS, !isLoggedIn { say("STLS") }
        say("UTF8 USER")
        say("LANG")
        say("IMPLEMENTATION Facteur")
        say(".")
        return nil
    }

    private var expiryText: String {
        switch configuration.expiry {
        case .never: "NEVER"
        case .days(let days): String(days)
        }
    }

    private mutating func quit() -> Step? {
        guard isLoggedIn else {
            say("+OK goodbye")
            return close()
        }
        return work(.remove(configuration.isReadOnly ? [] : deleted.union(retrieved).sorted()))
    }

    /// Everything is said in English; `i-default` and `*` are that too.
    private mutating func language(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard let argument else {
            say("+OK languages follow")
            say("en English")
            say(".")
            return nil
        }
        let tag = String(decoding: argument.map(\.asciiLowercased), as: UTF8.self)
        guard tag == "en" || tag == "i-default" || tag == "*" || tag.hasPrefix("en-") else {
            return refuse("the language is not known")
        }
        say("+OK en English it is")
        return nil
    }

    // MARK: Authorization

    /// Whether passwords may be sent on this connection now.
    private var maySendSecrets: Bool { isTLS || (configuration.allowsPlaintext && !configuration.requiresTLS) }

    private var offeredMechanisms: [SASLMechanism] {
        guard isTLS || !configuration.requiresTLS else { return [] }
        return configuration.mechanisms.filter { (!$0.sendsSecret || maySendSecrets) && (!$0.bindsChannel || isTLS) }
    }

    private mutating func name(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard maySendSecrets else { return refuse("passwords are sent over TLS only, say STLS first") }
        guard let argument, !argument.isEmpty else { return refuse("USER needs a name") }
        guard let name = String(validating: argument, as: UTF8.self) else { return refuse("the name is no UTF-8") }
        // The answer is the same for names that are not known.
        user = name
        say("+OK now the password")
        return nil
    }

    private mutating func password(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard let user else { return refuse("say USER first") }
        // A password may hold spaces.
        return work(.login(user: user, proof: .password(Array(argument ?? []))))
    }

    private mutating func apop(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard configuration.timestamp != nil, isTLS || !configuration.requiresTLS else {
            return refuse("APOP is not offered")
        }
        guard let argument, let space = argument.lastIndex(of: ASCII.space),
            let name = String(validating: argument[..<space], as: UTF8.self), !name.isEmpty
        else { return refuse("the syntax is APOP name digest") }
        let digest = String(decoding: argument[(space + 1)...].map(\.asciiLowercased), as: UTF8.self)
        return work(.login(user: name, proof: .apop(digest: digest)))
    }

    private mutating func authenticate(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard let argument else {
            say("+OK mechanisms follow")
            for mechanism in offeredMechanisms { say(mechanism.rawValue) }
            say(".")
            return nil
        }
        let words = argument.split(separator: ASCII.space, omittingEmptySubsequences: false)
        guard words.count <= 2 else { return refuse("the syntax is AUTH mechanism initial-response") }
        guard let mechanism = SASLMechanism(name: words[0]), offeredMechanisms.contains(mechanism) else {
            return refuse("the mechanism is not offered")
        }
        let initialResponse = words.count > 1 && !words[1].isEmpty ? Array(words[1]) : nil
        return work(.authenticate(mechanism, initialResponse: initialResponse))
    }

    private mutating func startTLS(_ argument: ArraySlice<UInt8>?) -> Step? {
        guard argument == nil else { return refuse("STLS takes no argument") }
        guard configuration.offersTLS else { return refuse("TLS is not offered") }
        guard !isTLS else { return refuse("TLS is there already") }
        say("+OK begin TLS")
        return .startTLS
    }

    /// What is stored is sent as it is, so that UTF-8 in headers needs no other mode.
    private mutating func utf8() -> Step? {
        say("+OK UTF-8 is sent")
        return nil
    }
}
