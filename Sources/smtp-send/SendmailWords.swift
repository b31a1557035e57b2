import Bytes
import CommandLineTool
import Glibc
import Unix

/// The command line of sendmail(8), in the words of this tool, so that programs which call `sendmail` can call this one:
/// by that name, or with --sendmail.
struct SendmailWords {
    private static let names = ["sendmail", "mailq", "newaliases"]
    /// Letters of sendmail that take an argument and have no meaning here.
    private static let ignoredWithArgument: Set<Character> = ["B", "h", "L", "X", "D", "A", "M", "d"]
    private static let ignored: Set<Character> = ["G", "n", "U", "m", "x"]

    private var result: [String] = ["--sendmail"]
    private var recipients: [String] = []
    private var hasConfiguration = false
    private var endsAtDot = true

    /// The command line in this tool's words; nil when it is one of this tool's own.
    static func translate(_ words: [String], calledAs name: String) throws(ToolFailure) -> [String]? {
        let isCalledSo = names.contains(name)
        guard isCalledSo || words.contains("--sendmail") || words.contains(where: isSendmailsAlone) else { return nil }
        var translation = SendmailWords()
        if name == "mailq" { translation.result.append("--list") }
        var rest = words[...]
        while let word = rest.popFirst() { try translation.take(word, &rest) }
        if isCalledSo, !translation.hasConfiguration, let file = standardConfiguration {
            translation.result += ["--config", file]
        }
        if !translation.endsAtDot { translation.result.append("--ignore-dots") }
        for recipient in translation.recipients { translation.result += ["--to", recipient] }
        return name == "newaliases" ? ["--sendmail", "--new-aliases"] : translation.result
    }

    /// Words that only sendmail knows: with them, no name is needed.
    private static func isSendmailsAlone(_ word: String) -> Bool {
        ["-i", "-ti", "-it", "-bs", "-bp", "-bm", "-bv", "-bi"].contains(word)
            || (word.hasPrefix("-o") && word.utf8.count <= 4 && word.utf8.count >= 3)
    }

    /// What the sendmail of this machine or this user is to do.
    private static var standardConfiguration: String? {
        let home = getenv("HOME").map { String(cString: $0) + "/.smtp-send" }
        return [home, "/etc/smtp-send.conf"].compactMap { $0 }.first { Files.kind($0) == .file }
    }

    private mutating func take(_ word: String, _ rest: inout ArraySlice<String>) throws(ToolFailure) {
        if word == "--" {
            recipients += rest
            rest = []
        } else if word.hasPrefix("--") {
            takeLong(word, &rest)
        } else if word.hasPrefix("-"), word != "-" {
            try takeLetters(word.dropFirst(), &rest)
        } else {
            recipients.append(word)
        }
    }

    /// This tool's own options may stand among them.
    private mutating func takeLong(_ word: String, _ rest: inout ArraySlice<String>) {
        guard word != "--sendmail" else { return }
        let name = String(word.dropFirst(2))
        if name == "config" || name.hasPrefix("config=") { hasConfiguration = true }
        result.append(word)
        let option = SendOptions.all.first { $0.declaration.long == name }
        if name == "config" || option.map({ $0.declaration.argument != .none }) ?? false,
            let value = rest.popFirst()
        {
            result.append(value)
        }
    }

    private mutating func takeLetters(_ letters: Substring, _ rest: inout ArraySlice<String>) throws(ToolFailure) {
        var letters = letters
        while let letter = letters.popFirst() {
            /// What is behind the letter, or the next word.
            func argument() throws(ToolFailure) -> String {
                defer { letters = "" }
                if !letters.isEmpty { return String(letters) }
                guard let next = rest.popFirst() else { throw ToolFailure(.usage, "-\(letter): needs an argument") }
                return next
            }
            switch letter {
            case "t": result.append("--read-recipients")
            case "i": endsAtDot = false
            case "v": result.append("--verbose")
            case "4": result.append("--ipv4")
            case "6": result.append("--ipv6")
            case "f", "r": result += ["--from", try argument()]
            case "F": result += ["--full-name", try argument()]
            case "N": result += ["--notify", try argument()]
            case "R": result += ["--ret", try argument().asciiLowercased]
            case "V": result += ["--envid", try argument()]
            case "C":
                hasConfiguration = true
                result += ["--config", try argument()]
            case "b": try takeMode(try argument())
            case "o", "O": takeSetting(try argument())
            case "q":
                // An interval makes it a daemon; any other argument selects, which nothing here needs.
                result.append(letters.first.map { $0.isNumber } ?? false ? "--watch" : "--run")
                letters = ""
            case "s" where letters.isEmpty, "u" where letters.isEmpty, "p" where letters.isEmpty:
                result += ["-\(letter)", try argument()]
            case _ where Self.ignoredWithArgument.contains(letter): _ = try argument()
            case _ where Self.ignored.contains(letter): break
            default: throw ToolFailure(.usage, "-\(letter): is not an option of sendmail that is known here")
            }
        }
    }

    private mutating func takeMode(_ mode: String) throws(ToolFailure) {
        switch mode {
        case "m": break
        case "s": result.append("--stdio")
        case "p": result.append("--list")
        case "i": result.append("--new-aliases")
        case "v": result += ["--quit-after", "rcpt"]
        case "d", "D": throw ToolFailure(.usage, "-b\(mode): receiving mail is what smtp-serve does")
        default: throw ToolFailure(.usage, "-b\(mode): is not a mode of sendmail that is known here")
        }
    }

    /// `-oi`, `-odq`, `-O DeliveryMode=queue`; all others change nothing here.
    private mutating func takeSetting(_ setting: String) {
        switch setting.asciiLowercased {
        case "i", "ignoredots", "ignoredots=true": endsAtDot = false
        case "dq", "dd", "deliverymode=q", "deliverymode=queue", "deliverymode=d": result.append("--queue-only")
        default: break
        }
    }
}
