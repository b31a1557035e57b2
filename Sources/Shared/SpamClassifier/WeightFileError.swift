/// Why a file of weights cannot be used.
package enum WeightFileError: Error, Equatable, CustomStringConvertible {
    /// What the system says.
    case system(reason: String, code: Int32)
    /// No file of weights, or one that is damaged or of another kind.
    case unusable(String)
    /// Another process has been learning for too long.
    case busy
    /// The digest of a message cannot be made: what OpenSSL says.
    case digest(String)

    package var description: String {
        switch self {
        case .system(let reason, _): reason
        case .unusable(let reason): reason
        case .busy: "another process is learning into it: try again later"
        case .digest(let reason): reason
        }
    }
}
