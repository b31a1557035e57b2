import SASL
import SMTP

/// How messages are delivered, as the command line says.
struct SendSettings: Sendable {
    /// The name for EHLO; nil: this host's name, or the address of the connection's end.
    var heloName: String?
    var tls: ClientTLS
    var path: ConnectionPath
    var dialect: ClientConfiguration.Dialect
    var pipelining: Bool
    var chunking: Bool
    /// A message that a server does not take as it is is encoded for it (RFC 6152 3).
    var encoding: Bool
    var credentials: SASLCredentials?
    var lastStep: ClientStep?
    var dropsAfterLastStep: Bool
    /// The longest wait for any answer; nil: as long as RFC 5321 4.5.3.2 says.
    var timeout: Duration?
    var isVerbose: Bool
    /// The transcript hides nothing.
    var showsSecrets: Bool

    /// The longest wait for a connection to one address.
    var connectTimeout: Duration { timeout ?? .seconds(30) }
    /// The longest time without progress while a message is sent (RFC 5321 4.5.3.2.5).
    var sendTimeout: Duration { timeout ?? .seconds(180) }

    func timeout(_ step: ClientStep) -> Duration {
        let standard = Duration.seconds(step.timeLimit)
        guard let timeout else { return standard }
        return step == .quit ? min(timeout, standard) : timeout
    }
}
