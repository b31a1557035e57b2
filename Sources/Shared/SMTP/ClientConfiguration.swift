import SASL

/// How a client session behaves, whatever the message.
package struct ClientConfiguration: Sendable {
    /// What to do about STARTTLS (RFC 3207).
    package enum TLSPolicy: Sendable {
        /// Not even when the server offers it.
        case never
        /// When the server offers it; in clear when it does not (RFC 7435).
        case opportunistic
        /// No mail without it.
        case required
        /// The connection is encrypted from its first octet on (RFC 8314 3.3).
        case implicit
    }

    /// The protocol spoken.
    package enum Dialect: Sendable {
        case smtp
        /// RFC 2033: LHLO, and one answer a recipient after the final dot.
        case lmtp
    }

    /// The name of this host for EHLO: a domain or an address literal.
    package var heloName: String
    package var tls: TLSPolicy
    package var dialect: Dialect
    /// False: commands go one by one even when the server offers PIPELINING.
    package var pipelining: Bool
    /// False: DATA even when the server offers CHUNKING (RFC 3030).
    package var chunking: Bool
    /// With credentials, the session authenticates before the first message, or fails.
    package var credentials: SASLCredentials?
    /// The step after which the session ends, for tests of servers; nil: none.
    package var lastStep: ClientStep?
    /// True: the connection is closed after the last step without QUIT.
    package var dropsAfterLastStep: Bool
    /// Once TLS runs it is sure who the server is, by its certificate and by the way its name was found: only then it gets
    /// a message that must stay encrypted (RFC 8689 4.2.1).
    package var isPeerSure: Bool

    package init(
        heloName: String, tls: TLSPolicy = .opportunistic, dialect: Dialect = .smtp, pipelining: Bool = true,
        chunking: Bool = true, credentials: SASLCredentials? = nil, lastStep: ClientStep? = nil,
        dropsAfterLastStep: Bool = false, isPeerSure: Bool = true
    ) {
        self.heloName = heloName
        self.tls = tls
        self.dialect = dialect
        self.pipelining = pipelining
        self.chunking = chunking
        self.credentials = credentials
        self.lastStep = lastStep
        self.dropsAfterLastStep = dropsAfterLastStep
        self.isPeerSure = isPeerSure
    }
}

/// The steps of a session, in their order. A session waits for the server's answer to one of them.
package enum ClientStep: String, CaseIterable, Sendable {
    case greeting
    case hello = "helo"
    case tls
    case authentication = "auth"
    case mail
    case recipient = "rcpt"
    case data
    /// The final dot.
    case message = "dot"
    case reset = "rset"
    case quit

    /// How long to wait for the answer, in seconds (RFC 5321 4.5.3.2); for QUIT, whose answer nobody needs, short.
    package var timeLimit: Int {
        switch self {
        case .greeting, .hello, .tls, .authentication, .mail, .recipient, .reset: 300
        case .data: 120
        case .message: 600
        case .quit: 5
        }
    }

    /// What the server was asked, in words for people.
    package var name: String {
        switch self {
        case .greeting: "the greeting"
        case .hello: "EHLO"
        case .tls: "STARTTLS"
        case .authentication: "AUTH"
        case .mail: "MAIL"
        case .recipient: "RCPT"
        case .data: "DATA"
        case .message: "the final dot"
        case .reset: "RSET"
        case .quit: "QUIT"
        }
    }
}
