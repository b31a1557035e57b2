// What Network needs of TLS; the binding takes its place (delete this file then; keep these names or adapt Network/Connection.swift).
import Bytes

package struct TLSDescription: Sendable { package let version: String; package let cipher: String }
package struct TLSPeerCertificate: Sendable {}
package struct TLSError: Error {}
package final class TLSContext: Sendable {}
package final class TLSEngine {
    package init(server: TLSContext) throws(TLSError) {}
    package init(client: TLSContext, serverName: String) throws(TLSError) {}
    package var description: TLSDescription? { nil }
    package var peerCertificate: TLSPeerCertificate? { nil }
    package var isClosedByPeer: Bool { false }
    package func receive(_ ciphertext: Span<UInt8>) {}
    package func takeOutput() -> [UInt8] { [] }
    package func advanceHandshake() throws(TLSError) -> Bool { true }
    package func readPlaintext() throws(TLSError) -> [UInt8] { [] }
    package func writePlaintext(_ plaintext: Span<UInt8>) {}
    package func beginShutdown() {}
}
