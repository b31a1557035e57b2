import Bytes
import DNS
import OpenSSL

/// Signs messages for one domain with one key (RFC 6376 5, RFC 8463).
package struct DKIMSigner: Sendable {
    package struct Options: Equatable, Sendable {
        package var headerForm = Canonicalization.relaxed
        package var bodyForm = Canonicalization.relaxed
        /// The names of `h=`, as they are to be signed; nil for the fields that matter, oversigned.
        package var names: [String]?
        /// `x=`: seconds after `t=`; nil for no end.
        package var lifetime: Int?
        /// `l=`: signs the body's length, so that more may be added to it.
        package var signsLength = false
        /// `i=`.
        package var identity: String?

        package init() {}
    }

    let domain: String
    let selector: String
    let key: PrivateKey
    let options: Options

    /// Refuses what no verifier would take: RSA keys under 1024 bits (RFC 8301 3.2), `h=` without From, `i=` outside of the
    /// domain.
    package init(
        domain: String, selector: String, key: PrivateKey, _ options: Options = Options()
    ) throws(SigningError) {
        guard let name = MessageAuthors.domain(of: "@" + domain) else {
            throw SigningError("\(domain) is not a domain")
        }
        guard (try? DomainName("\(selector)._domainkey.\(name)"))?.isPlain == true else {
            throw SigningError("\(selector) is not a selector")
        }
        guard key.kind == .ed25519 || key.bits >= DKIMVerification.leastBits else {
            throw SigningError("the key has \(key.bits) bits: use 2048, less than 1024 is refused (RFC 8301)")
        }
        if let names = options.names {
            guard names.contains(where: { $0.equalsIgnoringCase("from") }) else {
                throw SigningError("h= does not name From: it must be signed (RFC 6376 5.4)")
            }
            guard names.allSatisfy(DKIMSigner.isFieldName) else { throw SigningError("h= holds what is no field name") }
        }
        if let identity = options.identity {
            guard let at = identity.utf8.lastIndex(of: ASCII.at),
                DKIMSignature.isWithin(String(identity[identity.utf8.index(after: at)...]), name),
                identity.utf8.allSatisfy({ $0 > ASCII.space && $0 < ASCII.delete && $0 != ASCII.semicolon })
            else { throw SigningError("i=\(identity) is not within \(name)") }
        }
        self.domain = name
        self.selector = selector
        self.key = key
        self.options = options
    }

    private static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != ASCII.colon && $0 != ASCII.semicolon }
    }

    /// The signature fields of all signers for one message, with CRLF, in the order of the signers. `time` is `t=`,
    /// seconds since 1970. The message's lines may end with LF: it is signed as it is sent.
    package static func sign(
        _ message: Span<UInt8>, _ signers: [DKIMSigner], time: Int
    ) throws(SigningError) -> [[UInt8]] {
        let header = SignedHeader(message)
        let authors = header.count(of: "from", message)
        guard authors == 1 else {
            throw SigningError(
                authors == 0
                    ? "it has no From field: it cannot be signed" : "it has \(authors) From fields: it is not signed")
        }
        let body = header.bodyStart..<message.count
        do {
            var hashes: [(form: Canonicalization, hash: [UInt8], count: Int)] = []
            for form in [Canonicalization.simple, .relaxed]
            where signers.contains(where: { $0.options.bodyForm == form }) {
                let hasher = try BodyHasher(form, limits: [nil], message, body: body)
                let (found, count) = hasher.finish(message)
                hashes.append((form, found.first?.hash ?? [], count))
            }
            var fields: [[UInt8]] = []
            for signer in signers {
                guard let hash = hashes.first(where: { $0.form == signer.options.bodyForm }) else { continue }
                fields.append(try signer.field(header, message, hash.hash, length: hash.count, time: time))
            }
            return fields
        } catch {
            throw SigningError("\(error)")
        }
    }

    private func field(
        _ header: SignedHeader, _ message: Span<UInt8>, _ bodyHash: [UInt8], length: Int, time: Int
    ) throws(OpenSSLError) -> [UInt8] {
        let names = options.names ?? DKIMSigner.names(header, message)
        var tags = "DKIM-Signature: v=1; a=\(key.algorithm.rawValue); "
        tags +=
            "c=\(options.headerForm.rawValue)/\(options.bodyForm.rawValue);\r\n\td=\(domain); s=\(selector); t=\(time);"
        if let lifetime = options.lifetime { tags += " x=\(time &+ lifetime);" }
        if let identity = options.identity { tags += " i=\(identity);" }
        if options.signsLength { tags += " l=\(length);" }
        tags += "\r\n\th=" + Folding.names(names) + ";\r\n\tbh=\(Base64.encode(bodyHash));\r\n\tb="
        let collector = HeaderCollector(header)
        var signed = collector.text(SignedNames(names), options.headerForm, message)
        let unsigned = Array(tags.utf8)
        let own = SignedHeader(unsigned.span)
        if let field = own.fields.first {
            signed.append(
                signature: field, options.headerForm, unsigned.span, omitting: unsigned.count..<unsigned.count)
        }
        return unsigned + Folding.base64(try key.sign(header: signed.bytes)) + Array("\r\n".utf8)
    }

    // MARK: Names

    /// Signed once more than they stand there, so that none can be added (RFC 6376 8.15).
    private static let oversigned = [
        "From", "Subject", "To", "Date", "Cc", "Reply-To", "Content-Type", "MIME-Version",
    ]
    /// Signed as they stand there.
    private static let plain = [
        "Message-ID", "Sender", "In-Reply-To", "References", "Content-Transfer-Encoding", "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ]

    /// The names of the fields that the message has; those that it lacks are left out, for others may add them.
    static func names(_ header: SignedHeader, _ message: Span<UInt8>) -> [String] {
        var names: [String] = []
        for name in oversigned {
            let count = header.count(of: name, message)
            if count > 0 { names += Array(repeating: name.asciiLowercased, count: count + 1) }
        }
        for name in plain {
            let count = min(header.count(of: name, message), 8)
            names += Array(repeating: name.asciiLowercased, count: count)
        }
        return names
    }
}

extension PrivateKey {
    var algorithm: DKIMAlgorithm { kind == .rsa ? .rsaSHA256 : .ed25519SHA256 }

    /// Signs a canonical header: RSA over its SHA-256, Ed25519 with that digest as the message (RFC 8463 3).
    func sign(header: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        kind == .rsa ? try sign(header) : try sign(try Digest.hash(.sha256, header))
    }
}

extension SignedHeader {
    /// How many fields have a name.
    func count(of name: String, _ bytes: Span<UInt8>) -> Int {
        let key = SignedField.key(name.utf8)
        var count = 0
        for field in fields where field.key == key && field.isNamed(name.utf8, bytes) { count += 1 }
        return count
    }
}

/// Long values on several lines.
enum Folding {
    private static let width = 72

    /// Names with colons, folded before a line gets too long.
    static func names(_ names: [String]) -> String {
        var text = ""
        var column = 3
        for (index, name) in names.enumerated() {
            if index > 0 {
                text += ":"
                column += 1
                if column + name.utf8.count > width {
                    text += "\r\n\t "
                    column = 2
                }
            }
            text += name
            column += name.utf8.count
        }
        return text
    }

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var column = 3
        for byte in Base64.encode(bytes).utf8 {
            if column == width {
                result += [ASCII.cr, ASCII.lf, ASCII.tab, ASCII.space]
                column = 2
            }
            result.append(byte)
            column += 1
        }
        return result
    }
}
