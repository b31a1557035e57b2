import CommandLineTool
import OpenSSL

/// The files of a server's certificate, read at the start and at every reload.
package struct CertificateFiles: Sendable {
    private let files: (chain: String, key: String)?
    private let clientAuthorities: String?

    /// - Throws: a failure of usage when one of certificate and key is missing.
    package init(_ arguments: Arguments, _ options: ServerOptions) throws(ToolFailure) {
        switch (arguments[options.certificate], arguments[options.key]) {
        case (let chain?, let key?): files = (chain, key)
        case (nil, nil): files = nil
        default: throw ToolFailure(.usage, "--cert and --key belong together: give both, or none")
        }
        clientAuthorities = arguments[options.clientAuthorities]
        if clientAuthorities != nil, files == nil { throw ToolFailure(.usage, "--client-ca: needs --cert and --key") }
        if arguments[options.requireTLS], files == nil {
            throw ToolFailure(.usage, "--require-tls: needs --cert and --key")
        }
    }

    /// Reads the files; nil when there is no certificate.
    package func load() throws(ToolFailure) -> TLSContext? {
        guard let files else { return nil }
        do throws(OpenSSLError) {
            return try TLSContext(
                certificateChain: files.chain, key: files.key, clientAuthorities: clientAuthorities)
        } catch {
            throw ToolFailure(.configuration, "\(error): name PEM files with --cert and --key")
        }
    }
}
