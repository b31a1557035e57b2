import Bytes
import Unix

/// What a Received field tells of the relay that its writer took the message from, in the forms of the common servers.
enum ReceivedRelay {
    /// A relay; one that hands over within a host or from a mailbox, which counts for nothing; or nothing understood.
    enum Outcome {
        case relay(Relay)
        case ignored
        /// Fetched from a mailbox: what stands above tells of no way to it.
        case fetched
        case unparsed
    }

    /// Reads the value of a Received field; folds and dates may be in it.
    static func read(_ value: [UInt8]) -> Outcome {
        var text = value.split(whereSeparator: \.isMailWhitespace).map(\.text).joined(separator: " ")
        while text.hasSuffix(";") || text.hasSuffix(" ") { text.removeLast() }
        guard text.asciiLowercased.hasPrefix("from ") || text.asciiLowercased.hasPrefix("(from ") else {
            return .ignored
        }
        if text.holds("with local for") { return .ignored }
        if text.hasPrefix("(") || isWithoutClient(text) { return .ignored }
        // sendmail can be told to write the sender behind the date.
        return Reader(String(withoutDate(text).dropFirst(5)), envelopeSender: envelopeSender(text)).outcome
    }

    /// `from NAME by HOST;`: it tells nothing of how the message came.
    private static func isWithoutClient(_ text: String) -> Bool {
        let words = text.split(separator: " ", maxSplits: 4)
        guard words.count > 3, String(words[2]).asciiLowercased == "by", !isAddressLiteral(words[1]) else {
            return false
        }
        let host = words[3].prefix { $0 != ";" }
        return !host.isEmpty && (host.endIndex < words[3].endIndex || words.count > 4 && words[4].hasPrefix(";"))
    }

    private static func isAddressLiteral(_ word: Substring) -> Bool {
        word.hasPrefix("[") && word.hasSuffix("]")
            && word.dropFirst().dropLast().allSatisfy { $0.isNumber || $0 == "." }
    }

    /// The date behind the last semicolon is cut off.
    private static func withoutDate(_ text: String) -> String {
        guard let semicolon = text.lastIndex(of: ";") else { return text }
        let words = text[text.index(after: semicolon)...].split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard words.contains(where: { months.contains(String($0)) }) else { return text }
        return String(text[..<semicolon])
    }

    private static func envelopeSender(_ text: String) -> String {
        let bytes = Array(text.utf8)
        for mark in [
            "envelope-from ", "envelope-sender ", "envelope-from=", "envelope-sender=", "return-path: ", "return-path ",
        ] {
            guard let place = bytes.place(of: mark) else { continue }
            let word = bytes[(place + mark.utf8.count)...].prefix { $0 != ASCII.space }.text
            return String(word.drop { $0 == "<" }.prefix { !">);,".contains($0) })
        }
        return ""
    }

    private struct Reader {
        let text: String
        let envelopeSender: String
        /// What stands before ` by `, and from there on.
        let before: Substring
        let after: Substring
        /// The name that the writer was told or found.
        let name: String
        /// What stands in parentheses before ` by `.
        let comments: [String]

        init(_ text: String, envelopeSender: String) {
            self.envelopeSender = envelopeSender
            self.text = text.replacing(")by ", with: ") by ")
            let bytes = Array(self.text.utf8)
            let split = bytes.place(of: " by ") ?? bytes.count
            before = Substring(bytes[..<split].text)
            after = Substring(bytes[split...].text)
            name = before.split(separator: " ").first.map(String.init) ?? ""
            comments = Reader.comments(before)
        }

        private static func comments(_ text: Substring) -> [String] {
            var result: [String] = []
            var current = ""
            var depth = 0
            for character in text {
                if character == "(" {
                    depth += 1
                    if depth == 1 { continue }
                } else if character == ")", depth > 0 {
                    depth -= 1
                    if depth == 0 {
                        result.append(current)
                        current = ""
                        continue
                    }
                }
                if depth > 0 { current.append(character) }
            }
            return result
        }

        var outcome: Outcome {
            if text.hasPrefix("mail pickup service by ") { return .ignored }
            if after.holds("with BSMTP") { return .ignored }
            if text.holds("Exim"), after.holds(" with local") { return .ignored }
            // It tells no address of what it took the message from.
            if after.holds(" (Content Technologies "), comments.count == 1 { return .ignored }
            var relay = Relay()
            relay.by = word(after: " by ", in: after).map { $0.hasSuffix(";") ? String($0.dropLast()) : $0 } ?? ""
            relay.id = identifier
            relay.auth = authentication
            relay.helo = announcedName ?? ""
            relay.envelopeFrom = envelopeSender
            guard !after.isEmpty else { return .unparsed }
            guard find(&relay) else {
                if after.holds("with POP3") || after.holds("with IMAP") { return .fetched }
                if isWithinHost { return .ignored }
                return .unparsed
            }
            relay.lacksName = looksUpNames(relay) && ["", "unknown"].contains(relay.reverseName)
            finish(&relay)
            return .relay(relay)
        }

        /// Fills in address and names; false when no form fits.
        private func find(_ relay: inout Relay) -> Bool {
            let isExim = text.holds("Exim")
            let isPlainSMTP =
                (after.holds(" with SMTP") || after.hasSuffix(" SMTP")) && !after.holds(" with SMTP id ")
            if let first = comments.first {
                if let (reverse, address) = Reader.nameAndAddress(first) {
                    relay.address = address
                    if reverse.isEmpty {
                        // `name ([address])`: to Exim and qmail's kin the name is the reverse name.
                        if isExim || first.holds("helo=") || first.hasSuffix(" verified") {
                            relay.reverseName = Reader.isAddress(name) ? "" : name
                            if relay.helo.isEmpty { relay.helo = name }
                        } else {
                            if isPlainSMTP { relay.reverseName = name }
                            if !first.hasPrefix("[") || relay.helo.isEmpty { relay.helo = name }
                        }
                        if let ident = first.split(separator: " ").first(where: { $0.hasPrefix("ident=") }) {
                            relay.ident = String(ident.dropFirst(6))
                        }
                    } else {
                        relay.helo = name
                        relay.reverseName = reverse
                        if let at = reverse.lastIndex(of: "@") {
                            relay.ident = String(reverse[..<at])
                            if relay.ident.hasPrefix("IDENT:") { relay.ident.removeFirst(6) }
                            relay.reverseName = String(reverse[reverse.index(after: at)...])
                        }
                        if reverse == "softdnserr" { relay.reverseName = "" }
                    }
                    return true
                }
                if first.hasPrefix("HELO ") || first.hasPrefix("EHLO ") || first.hasPrefix("LHLO ") {
                    relay.helo = String(first.dropFirst(5))
                    if comments.count > 1, let (ident, address) = Reader.identAndAddress(comments[1]) {
                        relay.address = address
                        relay.ident = ident
                        relay.reverseName = name
                        return true
                    }
                    if let address = Reader.bracketed(before) {
                        relay.address = address
                        relay.reverseName = Reader.isAddress(name) ? "" : name
                        return true
                    }
                    guard let address = Reader.address(name) else { return false }
                    relay.address = address
                    return true
                }
                // Servers that write it so say how the message came.
                let tellsHow = after.holds(" with ") || after.holds(" via ") || after.holds(" (")
                if tellsHow, let (ident, address) = Reader.identAndAddress(first) {
                    relay.address = address
                    relay.ident = ident
                    relay.reverseName = name
                    if relay.helo.isEmpty { relay.helo = name }
                    return true
                }
            }
            if let address = Reader.bracketed(before) {
                if after.holds("with POP3") || after.holds("with IMAP") { return false }
                relay.address = address
                if !name.hasPrefix("[") {
                    relay.helo = name
                    if isExim { relay.reverseName = name }
                }
                return true
            }
            if let address = Reader.address(name), after.holds(" with ") || name.hasPrefix("[") {
                relay.address = address
                return true
            }
            return false
        }

        /// Whether the writer looks up the name of whom it takes mail from, so that no name means that there is none.
        private func looksUpNames(_ relay: Relay) -> Bool {
            guard let first = comments.first, !text.holds("Exim"), !after.holds("Microsoft SMTPSVC"),
                !after.holds("(Lotus Domino "), !text.holds("softdnserr")
            else { return false }
            if let (reverse, _) = Reader.nameAndAddress(first) {
                return !reverse.isEmpty || !before.holds("may be forged")
            }
            let isHello = first.hasPrefix("HELO ") || first.hasPrefix("EHLO ")
            guard (isHello && comments.count > 1) || Reader.identAndAddress(first) != nil else { return false }
            // qmail writes unknown when nobody has told it a name.
            let isQmail =
                after.holds(" with SMTP") && !after.holds(" with SMTP id ")
                || after.holds(" with QMQP") && !after.holds(" with QMQP id ")
            return !isQmail || relay.reverseName != "unknown"
        }

        private var isWithinHost: Bool {
            let words = text.split(separator: " ", maxSplits: 3)
            if words.count > 3, words[1] == "by", ["with ", "via ", "for ", "("].contains(where: words[3].hasPrefix) {
                return true
            }
            if after.holds("(LSMTP for") { return true }
            if name == "localhost" || name.contains("@") || text.hasPrefix("Unknown/Local (")
                || after.holds("with local-")
            {
                return true
            }
            if before.split(separator: " ").count == 1, comments.isEmpty { return !name.hasPrefix("[") }
            return comments.first.map { $0.hasSuffix("@localhost") || $0.hasSuffix("@127.0.0.1") } ?? false
        }

        private func finish(_ relay: inout Relay) {
            while relay.reverseName.hasSuffix(".") { relay.reverseName.removeLast() }
            if relay.reverseName.equalsIgnoringCase("unknown") || relay.reverseName.hasPrefix("[") {
                relay.reverseName = ""
            }
            relay.reverseName = Reader.stripped(relay.reverseName)
            relay.helo = Reader.stripped(relay.helo)
            relay.by = Reader.stripped(relay.by)
            relay.ident = Reader.stripped(relay.ident)
            relay.envelopeFrom = Reader.stripped(relay.envelopeFrom)
        }

        /// Characters that would break the form in which rules see a relay become `!`.
        private static func stripped(_ text: String) -> String {
            String(text.map { " \0#[]()<>|\t".contains($0) ? "!" : $0 })
        }

        private func word(after mark: String, in text: Substring) -> String? {
            let bytes = Array(text.utf8)
            guard let place = bytes.place(of: mark) else { return nil }
            return bytes[(place + mark.utf8.count)...].prefix { $0 != ASCII.space }.text
        }

        private var identifier: String {
            guard var id = word(after: " id ", in: Substring(text)) else { return "" }
            if id.hasPrefix("<") { id.removeFirst() }
            id = String(id.prefix { !"<>;".contains($0) })
            return id.utf8.count >= 3 ? id : ""
        }

        private var announcedName: String? {
            for mark in ["helo=", "HELO ", "EHLO "] {
                guard let name = word(after: mark, in: Substring(text)) else { continue }
                let allowed = name.prefix {
                    $0.isASCII && ($0.isLetter || $0.isNumber || "-.^+_&:=?!@%*$\\/".contains($0))
                }
                if !allowed.isEmpty { return String(allowed) }
            }
            return nil
        }

        private var authentication: String {
            if let with = word(after: " with ", in: after)?.split(separator: ";").first {
                let name = with.uppercased()
                if [
                    "ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "UTF8SMTPA", "UTF8SMTPSA", "ASMTP", "HTTP", "HTTPS",
                    "HTTPU",
                ]
                .contains(name) {
                    return String(with)
                }
            }
            if text.holds("(Authenticated sender: ") { return "Postfix" }
            if comments.contains(where: { $0.hasPrefix("authenticated") }) { return "Sendmail" }
            return ""
        }

        /// `name [address] more`, `name[address]`, `[address] more`, `ident@[address]`.
        private static func nameAndAddress(_ text: String) -> (name: String, address: String)? {
            guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]"),
                let address = address(String(text[text.index(after: open)..<close]))
            else { return nil }
            var name = String(text[..<open])
            while name.hasSuffix(" ") { name.removeLast() }
            if name.hasSuffix("@") { return (String(name), address) }
            guard !name.contains(" ") else { return nil }
            return (name, address)
        }

        /// `address`, `[address]`, `ident@address`.
        private static func identAndAddress(_ text: String) -> (ident: String, address: String)? {
            let word = text.utf8.firstRange(of: Array(" with ".utf8)).map { String(text[..<$0.lowerBound]) } ?? text
            if let address = address(word) { return ("", address) }
            guard let at = word.lastIndex(of: "@"), let address = address(String(word[word.index(after: at)...])),
                !word.contains(" ")
            else { return nil }
            return (String(word[..<at]), address)
        }

        private static func bracketed(_ text: Substring) -> String? {
            for word in text.split(separator: " ") where word.hasPrefix("[") {
                if let address = address(String(word)) { return address }
            }
            return nil
        }

        private static func isAddress(_ text: String) -> Bool { address(text) != nil }

        /// An address with or without brackets, as it is written.
        private static func address(_ text: String) -> String? {
            var bare = text
            if bare.hasPrefix("["), let end = bare.firstIndex(of: "]") { bare = String(bare[..<end].dropFirst()) }
            if bare.asciiLowercased.hasPrefix("ipv6:") { bare.removeFirst(5) }
            return IPAddress(bare) == nil ? nil : bare
        }
    }
}

extension StringProtocol {
    /// Whether some text stands in it, byte for byte.
    fileprivate func holds(_ text: StaticString) -> Bool {
        let bytes = Array(utf8)
        return bytes.span.firstIndex(of: text, in: 0..<bytes.count) != nil
    }
}
