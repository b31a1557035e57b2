import CommandLineTool
import Glibc
import Network
import OpenSSL
import ServerTool
import Synchronization
import Unix

/// --serve: the server of the spamd protocol.
enum SpamdServer {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let addresses = try addresses(arguments)
        let tls = try SpamdServerTLS(arguments)
        let service = try ScoringService(arguments)
        let events = EventLog(json: arguments[SpamscoreOptions.json], verbose: false)
        return try EventLoop.run { _ in
            let server = try bind(addresses, service, tls, events)
            for address in server.addresses {
                events.listening(address)
                if !arguments[SpamscoreOptions.json] {
                    Diagnostics.say("listening on \(address.address)\(address.isTLS ? ", TLS" : "")")
                }
            }
            await server.run { connection, origin in
                var conversation = SpamdConversation(service, connection)
                do throws(ConnectionError) {
                    if origin.listener.isTLS {
                        guard let context = tls.context else { return }
                        try await connection.startTLS(server: context, timeout: .seconds(30))
                    }
                    try await conversation.run(isOverLimit: origin.isOverLimit)
                } catch {
                    // The client has gone, or was too slow: there is nobody to tell.
                }
            }
            await events.finish()
            return .ok
        }
    }

    private static func addresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in arguments[SpamscoreOptions.serve] {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--serve \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            if address.isProxied {
                throw ToolFailure(.usage, "--serve \(text): the spamd protocol has no PROXY header: leave ,proxy out")
            }
            if address.isTLS, arguments[SpamscoreOptions.certificate] == nil {
                throw ToolFailure(.usage, "--serve \(text): needs --cert and --key")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func bind(
        _ addresses: [ListenAddress], _ service: ScoringService, _ tls: SpamdServerTLS, _ events: EventLog
    ) throws(ToolFailure) -> Server {
        let reload: @Sendable () async -> Void = {
            await offload {
                service.reload()
                tls.reload()
            }
            events.write("reload")
        }
        do throws(SystemError) {
            return try Server(.init(listen: addresses, reload: reload))
        } catch {
            let advice = error.code == EADDRINUSE ? ": another server is there, choose another --serve" : ""
            throw ToolFailure(
                error.code == EACCES ? .noPermission : .osError, "\(error.subject): \(error.reason)\(advice)")
        }
    }
}

/// The server's certificate, read again with the rules.
private final class SpamdServerTLS: Sendable {
    private let files: CertificateFiles
    private let current: Mutex<TLSContext?>

    init(_ arguments: Arguments) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        files = try CertificateFiles(chain: arguments[options.certificate], key: arguments[options.key])
        current = Mutex(try files.load())
    }

    var context: TLSContext? { current.withLock { $0 } }

    /// When the files cannot be used, those in use stay.
    func reload() {
        do throws(ToolFailure) {
            let context = try files.load()
            current.withLock { $0 = context }
        } catch {
            Diagnostics.say("\(error.message): the certificate in use stays")
        }
    }
}
