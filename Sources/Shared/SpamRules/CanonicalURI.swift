import Bytes

/// A URI as written, and in the forms that programs which follow it understand it as.
enum CanonicalURI {
    static func forms(of uri: [UInt8]) -> [[UInt8]] {
        let written = RuleLine.trimmed(uri.filter { $0 != ASCII.lf && $0 != ASCII.cr }[...])
        guard written.count > 1, let first = written.first else { return [] }
        // Places within a page.
        if first == UInt8(ascii: "#") || first == ASCII.question || first == UInt8(ascii: "&") { return [] }
        if first == ASCII.slash, written[1] != ASCII.slash { return [] }
        var forms = [written]
        let lower = written.map(\.asciiLowercased)
        if lower.starts(with: Array("mailto:".utf8)) {
            if let end = written.firstIndex(where: { $0 == ASCII.question || $0 == UInt8(ascii: "&") }) {
                forms.append(Array(written[..<end]))
            }
            return forms
        }
        let understood = understood(written)
        if understood != written { forms.append(understood) }
        if let bare = withoutPortAndUser(understood), bare != understood { forms.append(bare) }
        return forms
    }

    /// With a scheme, slashes and plain characters where browsers put them.
    private static func understood(_ written: [UInt8]) -> [UInt8] {
        var uri = written.map { $0 == ASCII.backslash ? ASCII.slash : $0 }
        uri = uri.percentDecoded { (0x21...0x7E).contains($0) }
        let lower = uri.map(\.asciiLowercased)
        for scheme in ["https:", "http:"] where lower.starts(with: Array(scheme.utf8)) {
            let rest = uri[scheme.utf8.count...].drop { $0 == ASCII.slash }
            uri = Array(uri[..<scheme.utf8.count]) + [ASCII.slash, ASCII.slash] + rest
            break
        }
        let name = uri.prefix { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        if name.isEmpty || name.count >= uri.count || uri[name.count] != ASCII.colon {
            let slashes = uri.prefix { $0 == ASCII.slash }.count
            uri = Array((lower.starts(with: Array("ftp.".utf8)) ? "ftp://" : "http://").utf8) + uri[slashes...]
        }
        if let host = hostRange(uri), host.upperBound < uri.count,
            uri[host.upperBound] == ASCII.question || uri[host.upperBound] == UInt8(ascii: "#")
        {
            uri.insert(ASCII.slash, at: host.upperBound)
        }
        return uri
    }

    /// The host, with user and port, of a URI with two slashes after its scheme.
    private static func hostRange(_ uri: [UInt8]) -> Range<Int>? {
        guard let slashes = uri.place(of: "://") else { return nil }
        let start = slashes + 3
        let end =
            uri[start...].firstIndex { $0 == ASCII.slash || $0 == ASCII.question || $0 == UInt8(ascii: "#") }
            ?? uri.count
        return start..<end
    }

    private static func withoutPortAndUser(_ uri: [UInt8]) -> [UInt8]? {
        guard let range = hostRange(uri) else { return nil }
        var host = uri[range]
        if let at = host.lastIndex(of: ASCII.at) { host = host[(at + 1)...] }
        if let colon = host.lastIndex(of: ASCII.colon), ["80", "443"].contains(host[(colon + 1)...].text) {
            host = host[..<colon]
        }
        return Array(uri[..<range.lowerBound]) + host + uri[range.upperBound...]
    }
}
