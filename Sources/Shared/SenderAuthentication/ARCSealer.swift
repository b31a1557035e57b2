import Bytes
import OpenSSL

/// Adds ARC sets to messages that are passed on (RFC 8617 5.1).
package struct ARCSealer: Sendable {
    private let signer: DKIMSigner
    private let server: String
    private let names: [String]?

    /// `server` is the authserv-id whose results are sealed; `names` the fields that are signed, nil for those that matter.
    package init(
        domain: String, selector: String, key: PrivateKey, server: String, names: [String]? = nil
    ) throws(SigningError) {
        signer = try DKIMSigner(domain: domain, selector: selector, key: key)
        if let names,
            names.contains(where: {
                $0.asciiLowercased.hasPrefix("arc-") || $0.isEmpty
                    || !$0.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != ASCII.semicolon }
            })
        {
            throw SigningError("the fields to sign are names, and none of ARC")
        }
        guard !server.isEmpty, !server.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw SigningError("the authserv-id is not a name")
        }
        self.server = server
        self.names = names
    }

    /// The new set's fields with CRLF, for the top of the message: seal, signature, results. `chain` is what validation
    /// said of the sets so far. Nil when nothing is to be added: the chain has failed and says so, or is full.
    package func seal(_ message: Span<UInt8>, chain: ARCOutcome, time: Int) throws(SigningError) -> [UInt8]? {
        let header = SignedHeader(message)
        let known = ARCChain(header, message)
        guard known.newestValidation != "fail", known.count < ARCChain.limit else { return nil }
        let validation: String
        switch chain.verdict {
        case .none: validation = "none"
        case .pass: validation = "pass"
        case .fail: validation = "fail"
        case .temperror: throw SigningError("the chain cannot be validated now: \(chain.reason ?? "DNS")")
        }
        let number = known.count + 1
        do throws(OpenSSLError) {
            let results = "ARC-Authentication-Results: i=\(number); \(value(header, message))\r\n"
            let signature = try signature(header, message, number, time)
            let before = validation == "fail" ? HeaderText() : ARCSealer.fields(known, header, message)
            let seal = try seal(before, results + signature, number, validation, time)
            return Array((seal + signature + results).utf8)
        } catch {
            throw SigningError("\(error)")
        }
    }

    /// The results of our own Authentication-Results fields, each once, in their order.
    private func value(_ header: SignedHeader, _ message: Span<UInt8>) -> String {
        let key = SignedField.key(AuthenticationResultsField.name.utf8)
        var results: [String] = []
        for field in header.fields
        where field.key == key && field.isNamed(AuthenticationResultsField.name.utf8, message) {
            let value = message.array(field.content).filter { $0 != ASCII.cr && $0 != ASCII.lf }
            let parts = AuthenticationResultsField.parts(value)
            guard let first = parts.first, AuthenticationResultsField.isServer(first, server) else { continue }
            for part in parts.dropFirst() where !part.isEmpty && !part.elementsEqual("none".utf8) {
                let text = UTF8Text.repaired(part.span)
                if !results.contains(text), results.count < 64 { results.append(text) }
            }
        }
        let start = AuthenticationResultsField.value(server)
        return results.isEmpty ? "\(start); none" : start + results.map { ";\r\n\t\($0)" }.joined()
    }

    private func signature(
        _ header: SignedHeader, _ message: Span<UInt8>, _ number: Int, _ time: Int
    ) throws(OpenSSLError) -> String {
        let names = self.names ?? ARCSealer.names(header, message)
        let hasher = try BodyHasher(.relaxed, limits: [nil], message, body: header.bodyStart..<message.count)
        let hash = hasher.finish(message).hashes.first?.hash ?? []
        // A space stands before i=, because dkimpy looks for it.
        func field(_ value: String) -> String {
            "ARC-Message-Signature: a=\(signer.key.algorithm.rawValue);\r\n\tb=\(value);\r\n\tbh=\(Base64.encode(hash)); "
                + "c=relaxed/relaxed;\r\n\td=\(signer.domain); h=\(names.joined(separator: ":")); i=\(number);\r\n\t"
                + "s=\(signer.selector); t=\(time)"
        }
        let collector = HeaderCollector(header)
        let text = collector.text(SignedNames(names), .relaxed, message)
        return field(try sign(text, field(""))) + "\r\n"
    }

    private func seal(
        _ before: HeaderText, _ own: String, _ number: Int, _ validation: String, _ time: Int
    ) throws(OpenSSLError) -> String {
        func field(_ value: String) -> String {
            "ARC-Seal: a=\(signer.key.algorithm.rawValue);\r\n\tb=\(value);\r\n\tcv=\(validation); "
                + "d=\(signer.domain); i=\(number); s=\(signer.selector); t=\(time)"
        }
        var text = before
        let bytes = Array(own.utf8)
        for field in SignedHeader(bytes.span).fields { text.append(field, .relaxed, bytes.span) }
        return field(try sign(text, field(""))) + "\r\n"
    }

    /// The signature over `text` and a field whose `b=` is empty, in base64.
    private func sign(_ text: HeaderText, _ unsigned: String) throws(OpenSSLError) -> String {
        var text = text
        let bytes = Array(unsigned.utf8)
        for field in SignedHeader(bytes.span).fields {
            text.append(signature: field, .relaxed, bytes.span, omitting: bytes.count..<bytes.count)
        }
        return Base64.encode(try signer.key.sign(header: text.bytes))
    }

    /// The fields of all sets so far, oldest first, in the order of RFC 8617 5.1.1.
    private static func fields(_ chain: ARCChain, _ header: SignedHeader, _ message: Span<UInt8>) -> HeaderText {
        var text = HeaderText()
        for set in chain.instances {
            for place in [set.results, set.signature, set.seal].compactMap({ $0 }) {
                text.append(header.fields[place], .relaxed, message)
            }
        }
        return text
    }

    /// What is signed unless names are given: the fields that matter as often as they stand there, and DKIM signatures.
    private static func names(_ header: SignedHeader, _ message: Span<UInt8>) -> [String] {
        let wanted = [
            "From", "Subject", "To", "Date", "Cc", "Reply-To", "Message-ID", "In-Reply-To", "References", "Sender",
            "MIME-Version", "Content-Type", "DKIM-Signature",
        ]
        var names: [String] = []
        for name in wanted {
            let count = min(header.count(of: name, message), 8)
            names += Array(repeating: name.asciiLowercased, count: count)
        }
        return names.isEmpty ? ["from"] : names
    }
}
