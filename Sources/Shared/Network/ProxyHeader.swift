import Bytes
import Unix

/// The header by which a proxy tells a server who its client is (the PROXY protocol of HAProxy, versions 1 and 2).
package enum ProxyHeader: Equatable, Sendable {
    /// The client's address and the one that it has connected to.
    case proxied(source: SocketAddress, destination: SocketAddress)
    /// The proxy speaks for itself, or of a kind of connection that has no addresses here.
    case local

    package enum Reading: Equatable, Sendable {
        case needsMore
        case malformed
        case header(ProxyHeader, length: Int)
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    /// The longest line of version 1 with its CRLF.
    private static let lineLimit = 107

    /// Reads the header at the front of what has come in.
    package static func read(_ input: Span<UInt8>) -> Reading {
        let known = min(input.count, signature.count)
        if known == 0 { return .needsMore }
        if input.array(0..<known).elementsEqual(signature[..<known]) {
            return known < signature.count ? .needsMore : readBinary(input)
        }
        let word = Array("PROXY ".utf8)
        guard input.array(0..<min(input.count, word.count)).elementsEqual(word[..<min(input.count, word.count)]) else {
            return .malformed
        }
        guard let lf = input.firstIndex(of: ASCII.lf, in: 0..<min(input.count, lineLimit)) else {
            return input.count >= lineLimit ? .malformed : .needsMore
        }
        guard lf > 0, input[lf - 1] == ASCII.cr, let header = line(input.array(0..<(lf - 1)).text) else {
            return .malformed
        }
        return .header(header, length: lf + 1)
    }

    /// `PROXY TCP4 192.0.2.1 192.0.2.2 1234 25`
    private static func line(_ text: String) -> ProxyHeader? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count >= 2 else { return nil }
        if words[1] == "UNKNOWN" { return .local }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6", let source = IPAddress(words[2]),
            let destination = IPAddress(words[3]), source.isIPv6 == (words[1] == "TCP6"),
            destination.isIPv6 == source.isIPv6, let sourcePort = UInt16(words[4]),
            let destinationPort = UInt16(words[5])
        else { return nil }
        return .proxied(
            source: .ip(source, port: sourcePort), destination: .ip(destination, port: destinationPort))
    }

    private static func readBinary(_ input: Span<UInt8>) -> Reading {
        guard input.count >= 16 else { return .needsMore }
        let length = 16 + Int(input[14]) << 8 + Int(input[15])
        guard input[12] >> 4 == 2, input[12] & 15 <= 1, length <= 16 + 4_096 else { return .malformed }
        guard input.count >= length else { return .needsMore }
        let size =
            switch input[13] >> 4 {
            case 1: 4
            case 2: 16
            default: 0
            }
        guard input[12] & 15 == 1, size > 0 else { return .header(.local, length: length) }
        guard length >= 16 + 2 * size + 4, let source = IPAddress(bytes: input.array(16..<(16 + size))),
            let destination = IPAddress(bytes: input.array((16 + size)..<(16 + 2 * size)))
        else { return .malformed }
        let ports = 16 + 2 * size
        return .header(
            .proxied(
                source: .ip(source, port: UInt16(input[ports]) << 8 | UInt16(input[ports + 1])),
                destination: .ip(destination, port: UInt16(input[ports + 2]) << 8 | UInt16(input[ports + 3]))),
            length: length)
    }
}

extension Connection {
    /// Takes in the PROXY header at the front: the client that the proxy speaks for, or nil when it speaks for itself.
    package func receiveProxyHeader() async throws(ConnectionError) -> SocketAddress? {
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let received = input
            switch ProxyHeader.read(received.bytes) {
            case .header(let header, let length):
                input.consume(length)
                if case .proxied(let source, _) = header { return source }
                return nil
            case .malformed: throw .tls("no PROXY header came")
            case .needsMore:
                guard try await receive(timeout: max(.zero, end - .now)) else { throw .closed }
            }
        }
    }
}
