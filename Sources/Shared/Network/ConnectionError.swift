import Unix

/// Why a connection is of no more use.
package enum ConnectionError: Error, CustomStringConvertible {
    /// The time given is over.
    case timedOut
    /// The other side has closed where more was expected.
    case closed
    /// The task was cancelled.
    case cancelled
    /// The server is coming to an end, and the wait allowed to be interrupted.
    case interrupted
    /// A line is longer than its limit.
    case lineTooLong
    case system(SystemError)
    /// TLS failed; the reason in words.
    case tls(String)

    /// This machine has no way to the address: no such network or family here.
    package var isNoRoute: Bool { if case .system(let error) = self { error.isNoRoute } else { false } }

    package var description: String {
        switch self {
        case .timedOut: "no answer in time"
        case .closed: "the connection was closed by the other side"
        case .cancelled: "interrupted"
        case .interrupted: "the server is stopping"
        case .lineTooLong: "a line is too long"
        case .system(let error): error.reason
        case .tls(let reason): "TLS: \(reason)"
        }
    }
}
