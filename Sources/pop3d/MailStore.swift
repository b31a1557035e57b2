import POP3

/// A mailbox as one session sees it: fixed at the login, locked against other sessions. All but `openCached` blocks:
/// call it through `offload`.
protocol MailStore: Sendable {
    var table: MaildropTable { get }
    /// What lies in the mailbox and is not served.
    var skipped: [SkippedEntry] { get }
    /// How many messages have expired and were removed.
    var expired: Int { get }
    /// Opens a message when that needs no disk; nil when `open` must be tried.
    func openCached(_ index: Int) -> MessageFile?
    /// Opens a message; nil when it is gone.
    func open(_ index: Int) -> MessageFile?
    /// Removes messages and returns when that is on the disk; how many could not be removed. One that is gone already
    /// counts as removed.
    func remove(_ indexes: [Int]) -> Int
}

/// Why a mailbox cannot be opened.
enum MailStoreFailure: Error {
    case inUse
    /// Another try may succeed; the reason is for the log.
    case temporary(String)
    case permanent(String)
}
