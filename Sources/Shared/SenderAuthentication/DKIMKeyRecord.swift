import Bytes
import OpenSSL

/// Why a key record cannot be used, with the record's own words where there are some.
package struct DKIMKeyRecordError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// A DKIM key record, the TXT record at `selector._domainkey.domain` (RFC 6376 3.6.1, RFC 8463).
package struct DKIMKeyRecord: Equatable, Sendable {
    package let kind: KeyKind
    /// The key as `p=` has it, decoded: DER for RSA, 32 bytes for Ed25519; empty when the key was revoked.
    package let key: [UInt8]
    /// `h=`: the hashes that may be used, in lower case; nil for all.
    package let hashes: [String]?
    /// `s=`: the services, in lower case; nil for all.
    package let services: [String]?
    /// `t=y`: the domain tests DKIM; a failure means nothing.
    package let isTesting: Bool
    /// `t=s`: the domain of `i=` must be that of `d=`.
    package let isStrict: Bool
    /// `n=`: for people.
    package let note: String?

    package var isRevoked: Bool { key.isEmpty }
    /// Whether it may be used for mail.
    package var servesMail: Bool { services?.contains { $0 == "*" || $0 == "email" } ?? true }

    /// Whether a text tries to be a key record; others are no concern of DKIM.
    package static func isCandidate(_ text: [UInt8]) -> Bool {
        guard let tags = try? TagList(text) else { return text.span.matches("v=DKIM1", at: 0) }
        return tags["p"] != nil || tags.text("v") == "DKIM1"
    }

    /// Reads a record, its strings joined.
    package init(parsing text: [UInt8]) throws(DKIMKeyRecordError) {
        let tags: TagList
        do throws(TagListError) {
            tags = try TagList(text)
        } catch {
            throw DKIMKeyRecordError(error.description)
        }
        if let version = tags.range("v") {
            guard tags.bytes[version].elementsEqual("DKIM1".utf8) else {
                throw DKIMKeyRecordError("v= is not DKIM1")
            }
            guard tags.tags.first?.value == version else { throw DKIMKeyRecordError("v= is not the first tag") }
        }
        switch tags.text("k")?.asciiLowercased ?? "rsa" {
        case "rsa": kind = .rsa
        case "ed25519": kind = .ed25519
        case let other: throw DKIMKeyRecordError("k=\(spfText(other.utf8)) is not known")
        }
        guard let encoded = tags.range("p") else { throw DKIMKeyRecordError("there is no p=") }
        guard let key = DKIMBase64.decode(tags.bytes, in: encoded) else { throw DKIMKeyRecordError("p= is not base64") }
        if kind == .ed25519, !key.isEmpty, key.count != 32 {
            throw DKIMKeyRecordError("p= is not an Ed25519 key: \(key.count) bytes, not 32")
        }
        self.key = key
        func words(_ name: StaticString) -> [String]? { tags.list(name)?.map { $0.text.asciiLowercased } }
        hashes = words("h")
        services = words("s")
        let flags = words("t") ?? []
        isTesting = flags.contains("y")
        isStrict = flags.contains("s")
        note = tags.text("n")
    }
}

/// Base64 as DKIM has it: with white space anywhere, and padding that may be missing.
enum DKIMBase64 {
    /// The values of digits; 64 for padding, 65 for white space, 66 for what is none of these.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 66, count: 256)
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, digit) in digits.utf8.enumerated() { values[Int(digit)] = UInt8(value) }
        values[Int(ASCII.equals)] = 64
        for space in [ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf] { values[Int(space)] = 65 }
        return values
    }()

    static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text, in: 0..<text.count) }

    /// The bytes of what stands in `range`; nil for what is no base64.
    static func decode(_ text: [UInt8], in range: Range<Int>) -> [UInt8]? { decode(text.span, range, values.span) }

    private static func decode(_ text: Span<UInt8>, _ range: Range<Int>, _ values: Span<UInt8>) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: range.count / 4 * 3 + 3)
        guard let count = decode(text, range, values, &bytes) else { return nil }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Writes what `range` stands for over `bytes`, which has room for it; how many bytes that were.
    private static func decode(
        _ text: Span<UInt8>, _ range: Range<Int>, _ values: Span<UInt8>, _ bytes: inout [UInt8]
    ) -> Int? {
        var out = bytes.mutableSpan
        var count = 0
        var group: UInt32 = 0
        var digits = 0
        var padding = 0
        for place in range {
            let value = values[Int(text[place])]
            if value < 64 {
                // Padding stands at the end only.
                if padding > 0 { return nil }
                group = group << 6 | UInt32(value)
                digits += 1
                if digits & 3 == 0 {
                    out[count] = UInt8(truncatingIfNeeded: group >> 16)
                    out[count + 1] = UInt8(truncatingIfNeeded: group >> 8)
                    out[count + 2] = UInt8(truncatingIfNeeded: group)
                    count += 3
                }
            } else if value == 64 {
                padding += 1
            } else if value == 66 {
                return nil
            }
        }
        switch digits & 3 {
        case 0: return padding == 0 ? count : nil
        case 2:
            guard padding == 0 || padding == 2 else { return nil }
            out[count] = UInt8(truncatingIfNeeded: group >> 4)
            return count + 1
        case 3:
            guard padding <= 1 else { return nil }
            out[count] = UInt8(truncatingIfNeeded: group >> 10)
            out[count + 1] = UInt8(truncatingIfNeeded: group >> 2)
            return count + 2
        default: return nil
        }
    }
}
