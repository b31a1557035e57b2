/// The types of channel binding (RFC 5056), by their registered names: bytes that both ends of one TLS connection know
/// and that are not the same on any other.
package enum TLSChannelBinding: String, CaseIterable, Sendable {
    /// Keying material, with TLS 1.3 (RFC 9266).
    case exporter = "tls-exporter"
    /// The first Finished message, with TLS 1.2 (RFC 5929 3).
    case unique = "tls-unique"
    /// A digest of the server's certificate (RFC 5929 4).
    case serverEndPoint = "tls-server-end-point"
}

extension TLSEngine {
    /// The bindings of this connection, by type; empty before the handshake is done.
    package var channelBindings: [TLSChannelBinding: [UInt8]] {
        guard let description else { return [:] }
        var bindings: [TLSChannelBinding: [UInt8]] = [:]
        if description.version == "TLSv1.3" {
            bindings[.exporter] = exporter()
        } else if library.sessionControl(session, 122, 0, nil) == 1 {
            // Without the extended master secret (SSL_CTRL_GET_EXTMS_SUPPORT), tls-unique is not unique (RFC 7627).
            bindings[.unique] = firstFinished()
        }
        bindings[.serverEndPoint] = certificateDigest()
        return bindings
    }

    private func exporter() -> [UInt8]? {
        let label = Array("EXPORTER-Channel-Binding".utf8CString)
        var material = [UInt8](repeating: 0, count: 32)
        // Safe: the counts are those of the arrays, the NUL of the label left out.
        let done = library.exportKeyingMaterial(
            session, &material, material.count, label, label.count - 1, [0], 0, 1)
        return done == 1 ? material : nil
    }

    private func firstFinished() -> [UInt8]? {
        // The client's in a full handshake, the server's in a resumed one.
        let isClient = serverName != nil
        let isOwn = isClient == (library.isResumed(session) == 0)
        var message = [UInt8](repeating: 0, count: 64)
        // Safe: at most the count given is written; the result is the whole length, 12 with TLS 1.2.
        let count =
            isOwn
            ? library.finished(session, &message, message.count)
            : library.peerFinished(session, &message, message.count)
        guard (1...message.count).contains(count) else { return nil }
        return Array(message.prefix(count))
    }

    private func certificateDigest() -> [UInt8]? {
        let crypto = library.crypto
        let isClient = serverName != nil
        let certificate = isClient ? library.peerCertificate(session) : library.ownCertificate(session)
        guard let certificate else { return nil }
        defer { if isClient { crypto.certificateFree(certificate) } }
        var algorithm: Int32 = 0
        _ = crypto.signatureAlgorithms(crypto.certificateSignature(certificate), &algorithm, nil)
        var name = algorithm == 0 ? "SHA256" : crypto.shortName(algorithm).map { String(cString: $0) } ?? "SHA256"
        if name == "MD5" || name == "SHA1" { name = "SHA256" }
        guard let implementation = crypto.digestByName(name) ?? crypto.digestByName("SHA256") else { return nil }
        var digest = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        // Safe: no digest is longer than 64 bytes (EVP_MAX_MD_SIZE).
        guard crypto.certificateDigest(certificate, implementation, &digest, &count) == 1 else { return nil }
        return Array(digest.prefix(Int(count)))
    }
}
