import CommandLineTool
import OpenSSL

/// The files of a server's certificate, read at the start and at every reload.
package struct CertificateFiles: Sendable {
    private let files: (chain: String, key: String)?
    private let clientAuthorities: String?

    /// - Throws: a failure of usage when one of certificate and key is missing.
    package init(_ arguments: Arguments, _ options: ServerOptions) throws(ToolFailure) {
        files = try CertificateFiles.pair(arguments[options.certificate], arguments[options.key])
        clientAuthorities = arguments[options.clientAuthorities]
        if clientAuthorities != nil, files == nil { throw ToolFailure(.usage, "--client-ca: needs --cert and --key") }
        if arguments[options.requireTLS], files == nil {
            throw ToolFailure(.usage, "--require-tls: needs --cert and --key")
        }
    }

    /// Those of a server that asks its clients for no certificates.
    ///
    /// - Throws: a failure of usage when one of the two is missing.
    package init(chain: String?, key: String?) throws(ToolFailure) {
        files = try CertificateFiles.pair(chain, key)
        clientAuthorities = nil
    }

    private static func pair(_ chain: String?, _ key: String?) throws(ToolFailure) -> (chain: String, key: String)? {
        switch (chain, key) {
        case (let chain?, let key?): return (chain, key)
        case (nil, nil): return nil
        default: throw ToolFailure(.usage, "--cert and --key belong together: give both, or none")
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
