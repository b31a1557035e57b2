import Bytes
import OpenSSL

/// The beginning of the client's first message in SCRAM and OAUTHBEARER (RFC 5801 4): how it wants to bind the channel,
/// and for whom it wants to act.
struct GS2Header: Equatable {
    enum Binding: Equatable { case unsupported, notOffered, required }

    let binding: Binding
    /// The type of a required binding; nil for one that is not known.
    let type: TLSChannelBinding?
    /// `a=`, decoded.
    let identity: String?

    /// Reads `n,,` `y,a=name,` or `p=tls-exporter,,`, and nothing behind it.
    init(_ bytes: ArraySlice<UInt8>) throws(SASLFailure) {
        let parts = bytes.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].isEmpty else { throw .malformed("the GS2 header is not complete") }
        switch parts[0] {
        case [UInt8(ascii: "n")]:
            binding = .unsupported
            type = nil
        case [UInt8(ascii: "y")]:
            binding = .notOffered
            type = nil
        default:
            guard parts[0].starts(with: "p=".utf8) else { throw .malformed("the GS2 header begins with n, y or p=") }
            binding = .required
            type = TLSChannelBinding(rawValue: parts[0].dropFirst(2).text)
        }
        if parts[1].isEmpty {
            identity = nil
        } else {
            guard parts[1].starts(with: "a=".utf8) else { throw .malformed("the GS2 header has an unknown field") }
            identity = try SASLName.decode(parts[1].dropFirst(2))
        }
    }
}

/// Names as SCRAM writes them: a comma is `=2C` and `=` is `=3D` (RFC 5802 5.1).
enum SASLName {
    static func decode(_ bytes: ArraySlice<UInt8>) throws(SASLFailure) -> String {
        var name: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte != ASCII.equals {
                name.append(byte)
            } else if rest.starts(with: "2C".utf8) {
                name.append(ASCII.comma)
                rest = rest.dropFirst(2)
            } else if rest.starts(with: "3D".utf8) {
                name.append(ASCII.equals)
                rest = rest.dropFirst(2)
            } else {
                throw .malformed("a name holds an = that is not =2C or =3D")
            }
        }
        return try name.userName()
    }
}
