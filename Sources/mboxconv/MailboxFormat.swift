import Mailboxes

/// What a mailbox may be stored as.
enum MailboxFormat: String, CaseIterable {
    case mboxo, mboxrd, mboxcl, mboxcl2, maildir
    /// A Maildir with folders in it as directories `.Parent.Child`.
    case maildirPlusPlus = "maildir++"
    /// A directory of files with numbers for names (RFC 822 as the Rand Message Handling System stores it).
    case mh
    /// A directory of `.eml` files, or one such file.
    case eml
    /// Batch SMTP (RFC 2442).
    case bsmtp

    init(_ mbox: MboxFormat) {
        switch mbox {
        case .mboxo: self = .mboxo
        case .mboxrd: self = .mboxrd
        case .mboxcl: self = .mboxcl
        case .mboxcl2: self = .mboxcl2
        }
    }

    /// The variant of mbox; nil for what is none.
    var mbox: MboxFormat? { MboxFormat(rawValue: rawValue) }
    var isMaildir: Bool { self == .maildir || self == .maildirPlusPlus }
    /// One directory holds the messages, each in a file of its own.
    var isDirectory: Bool { isMaildir || self == .mh || self == .eml }

    /// The name for people.
    var title: String {
        switch self {
        case .maildir: "Maildir"
        case .maildirPlusPlus: "Maildir++"
        case .mh: "MH"
        case .bsmtp: "batch SMTP"
        default: rawValue
        }
    }
}
