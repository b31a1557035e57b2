import Bytes
import MessageFormat
import Unix

/// What a stored message tells of how it came: the sender of the envelope, and the client that brought it.
package enum StoredEnvelope {
    /// Reads Return-Path and the Received fields. The client is that of the newest hop that came from outside: hops of
    /// this machine and of private networks before it are the receiver's own. Nil when there is none.
    package static func client(_ message: Span<UInt8>) -> SPFRequest? { client(SignedHeader(message), message) }

    static func client(_ header: SignedHeader, _ message: Span<UInt8>) -> SPFRequest? {
        let received = SignedField.key("received".utf8)
        var looked = 0
        for field in header.fields where field.key == received && field.isNamed("received".utf8, message) {
            looked += 1
            if looked > hopLimit { return nil }
            let hop = ReceivedHop(
                HeaderField(name: field.start..<field.nameEnd, body: field.content, end: field.contentEnd).value(
                    in: message))
            guard let text = hop.address, let address = IPAddress(text), !isInternal(address) else { continue }
            return SPFRequest(address: address, mailFrom: returnPath(header, message), helo: hop.helo)
        }
        return nil
    }

    /// Nobody has so many servers of his own.
    private static let hopLimit = 20

    private static func returnPath(_ header: SignedHeader, _ message: Span<UInt8>) -> String? {
        let key = SignedField.key("return-path".utf8)
        guard let field = header.fields.first(where: { $0.key == key && $0.isNamed("return-path".utf8, message) })
        else {
            return nil
        }
        let value = HeaderField(name: field.start..<field.nameEnd, body: field.content, end: field.contentEnd).value(
            in: message)
        if value.filter({ !$0.isMailWhitespace }).elementsEqual("<>".utf8) { return "" }
        return AddressList.parse(value).addresses.first?.address
    }

    /// Loopback, private and link-local networks (RFC 1918, RFC 4193, RFC 3927, RFC 6598).
    static func isInternal(_ address: IPAddress) -> Bool {
        let bytes = address.unmapped.bytes
        if bytes.count == 4 {
            switch (bytes[0], bytes[1]) {
            case (10, _), (127, _), (0, _), (192, 168), (169, 254): return true
            case (172, 16...31), (100, 64...127): return true
            default: return false
            }
        }
        return address.isLoopback || bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80)
            || bytes.allSatisfy { $0 == 0 }
    }
}
