import CommandLineTool
import OpenSSL
import SMTP
import Synchronization
import Unix

/// What the command line says of TLS, and the context that all connections share; OpenSSL is loaded when the first one
/// needs it.
final class ClientTLS: Sendable {
    let policy: ClientConfiguration.TLSPolicy
    /// When the handshake fails, the server is tried again in clear (RFC 7435 3).
    let fallsBackToClear: Bool
    private let certificates: ClientTLSOptions.Certificates
    /// --insecure: any certificate will do.
    var acceptsAny: Bool { certificates.acceptsAny }
    private let verifies: Bool
    private let made = Mutex<[Judgement: TLSContext]>([:])

    /// How a server's certificate is judged.
    enum Judgement: Hashable, Sendable {
        /// As the command line says.
        case usual
        /// By name and authority, whatever else.
        case verified
        /// By TLSA records.
        case dane
        /// Not at all.
        case any
    }

    /// With one server, TLS that it offers is verified; the hosts that MX records name are only as sure as the DNS that
    /// named them, so there TLS is used as it comes, unless it is required.
    init(_ arguments: Arguments, isOneServer: Bool) throws(ToolFailure) {
        policy =
            switch SendOptions.tls.policy(arguments) {
            case .auto: .opportunistic
            case .require: .required
            case .implicit: .implicit
            case .never: .never
            }
        fallsBackToClear = policy == .opportunistic && !isOneServer
        certificates = try SendOptions.tls.certificates(arguments)
        verifies = !certificates.acceptsAny && !fallsBackToClear
        if !certificates.files.isEmpty, policy != .never { try check(certificates.files) }
    }

    /// Whether it is sure who answers on an encrypted connection to a host (RFC 8689 4.2.1), or nobody wants to know.
    func makesSure(of exchange: Exchange) -> Bool {
        switch exchange.security {
        case .dane, .verified: true
        case .opportunistic, .encrypted, .unusable: acceptsAny || (verifies && exchange.isNameSure)
        }
    }

    /// The context, made at the first call.
    func context(_ judgement: Judgement = .usual) throws(OpenSSLError) -> TLSContext {
        let result = made.withLock { made -> Result<TLSContext, OpenSSLError> in
            if let known = made[judgement] { return .success(known) }
            let mustVerify =
                switch judgement {
                case .usual: verifies
                case .verified, .dane: true
                case .any: false
                }
            do throws(OpenSSLError) {
                let context = try TLSContext(
                    authorities: certificates.authorities, verifying: mustVerify,
                    certificateChain: certificates.certificate, key: certificates.key)
                if judgement == .dane { try context.allowDANE() }
                made[judgement] = context
                return .success(context)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Files that were named are read before anything is sent.
    private func check(_ files: [String]) throws(ToolFailure) {
        for file in files {
            do throws(SystemError) {
                _ = try FileDescriptor.open(file, 0)
            } catch {
                throw ToolFailure(error)
            }
        }
        do throws(OpenSSLError) {
            _ = try context()
        } catch {
            throw ToolFailure(.configuration, "\(error)")
        }
    }
}
