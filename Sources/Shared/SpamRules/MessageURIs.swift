import Bytes

/// The URIs of a message: what text and HTML link to.
enum MessageURIs {
    private static let most = 1_000

    static func find(in facts: MessageFacts) -> [[UInt8]] {
        var uris: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        for part in facts.textParts where part.isRendered {
            collect(part.content.span) { uri in
                if uris.count < most, seen.insert(uri).inserted { uris.append(uri) }
            }
        }
        return uris
    }

    /// The mail addresses in lines of text, in lower case.
    static func addresses(in lines: [[UInt8]]) -> Set<String> {
        var found: Set<String> = []
        for line in lines {
            for at in line.indices where line[at] == ASCII.at {
                var start = at
                while start > 0, isAddressByte(line[start - 1]) { start -= 1 }
                var end = at + 1
                while end < line.count, isAddressByte(line[end]) { end += 1 }
                while end > at, line[end - 1] == ASCII.dot || line[end - 1] == ASCII.dash { end -= 1 }
                if start < at, line[(at + 1)..<max(at + 1, end)].contains(ASCII.dot), found.count < most {
                    found.insert(line[start..<end].map(\.asciiLowercased).text)
                }
            }
        }
        return found
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.dot || byte == ASCII.dash || byte == ASCII.underscore || byte == ASCII.plus
    }

    private static func collect(_ bytes: Span<UInt8>, _ take: ([UInt8]) -> Void) {
        var place = 0
        while let colon = bytes.firstIndex(of: ASCII.colon, from: place) {
            place = colon + 1
            guard let scheme = scheme(before: colon, bytes) else { continue }
            var end = place
            while end < bytes.count, !endsURI(bytes[end]) { end += 1 }
            if end > place { take(bytes.array((colon - scheme.utf8.count)..<end)) }
            place = max(place, end)
        }
    }

    private static func scheme(before colon: Int, _ bytes: Span<UInt8>) -> String? {
        ["https", "http", "mailto", "ftp"].first { scheme in
            let start = colon - scheme.utf8.count
            guard start >= 0 else { return false }
            return bytes.array(start..<colon).elementsEqual(scheme.utf8) { $0.asciiLowercased == $1 }
        }
    }

    private static func endsURI(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == ASCII.quote || byte == ASCII.less || byte == ASCII.greater || byte == ASCII.apostrophe
    }
}
