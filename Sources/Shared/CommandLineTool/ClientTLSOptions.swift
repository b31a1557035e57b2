/// The options by which a tool that is a client is told of TLS: whether it is wanted, whom to trust, and what to show.
package struct ClientTLSOptions: Sendable {
    package enum Policy: String, CaseIterable, Sendable {
        /// By the protocol's command, when the server offers it.
        case auto
        /// By the protocol's command, or not at all.
        case require
        /// From the connection's first octet on (RFC 8314 3).
        case implicit
        /// In clear.
        case never
    }

    /// What the command line says of certificates. The files are in PEM form, and not read yet.
    package struct Certificates: Sendable {
        /// The authorities to trust; nil: the system's.
        package let authorities: String?
        /// The certificate to show, and its key; nil when that is in the same file.
        package let certificate: String?
        package let key: String?
        /// Any certificate of the server will do.
        package let acceptsAny: Bool

        /// Those that were named.
        package var files: [String] { [authorities, certificate, key].compactMap { $0 } }
    }

    package let tls: Option<String>
    package let authorities: Option<String?>
    package let certificate: Option<String?>
    package let key: Option<String?>
    package let insecure: Option<Bool>

    /// The options under a heading of the tool's help; `startTLS` is the protocol's command.
    package init(startTLS: String, group: String) {
        tls = Option.choice(
            "tls", Policy.allCases.map(\.rawValue), default: Policy.auto.rawValue,
            "auto: \(startTLS) when offered", group: group)
        authorities = Option.text(
            "ca", "FILE", "trust these authorities, not the system's (PEM)", group: group, completion: .file)
        certificate = Option.text(
            "cert", "FILE", "show this client certificate (PEM)", group: group, completion: .file)
        key = Option.text(
            "key", "FILE", "its key, when not in the same file (PEM)", group: group, completion: .file)
        insecure = Option.flag("insecure", "accept any certificate", group: group)
    }

    package var all: [AnyOption] {
        [AnyOption(tls), AnyOption(authorities), AnyOption(certificate), AnyOption(key), AnyOption(insecure)]
    }

    package func policy(_ arguments: Arguments) -> Policy { Policy(rawValue: arguments[tls]) ?? .auto }

    package func certificates(_ arguments: Arguments) throws(ToolFailure) -> Certificates {
        if arguments[key] != nil, arguments[certificate] == nil {
            throw ToolFailure(.usage, "--key: needs --cert with its certificate")
        }
        return Certificates(
            authorities: arguments[authorities], certificate: arguments[certificate], key: arguments[key],
            acceptsAny: arguments[insecure])
    }
}
