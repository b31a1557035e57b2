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
        guard let encoded = tags.compact("p") else { throw DKIMKeyRecordError("there is no p=") }
        guard let key = DKIMBase64.decode(encoded) else { throw DKIMKeyRecordError("p= is not base64") }
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

/// Base64 as DKIM has it: white space is already gone, padding may be missing.
enum DKIMBase64 {
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var text = text
        guard text.count % 4 != 1 else { return nil }
        while text.count % 4 != 0 { text.append(ASCII.equals) }
        let (bytes, hasJunk) = Base64.decode(text.span)
        guard !hasJunk, let first = text.firstIndex(of: ASCII.equals) else { return hasJunk ? nil : bytes }
        // Padding stands at the end only.
        return text[first...].allSatisfy { $0 == ASCII.equals } && text.count - first <= 2 ? bytes : nil
    }
}
