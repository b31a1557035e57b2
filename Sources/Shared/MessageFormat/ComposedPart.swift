import Bytes

/// A part of a message that is to be written (RFC 2045, RFC 2046).
package struct ComposedPart: Sendable {
    package enum Content: Sendable {
        /// Text in UTF-8; written as 7bit, quoted-printable or base64, whichever suits it.
        case text([UInt8])
        /// Anything; written as base64.
        case bytes([UInt8])
        /// A message or a header of one; written as it is, its line ends as CRLF.
        case message([UInt8])
        /// The same as quoted-printable, for the types that allow it (RFC 6533 4, RFC 6522 4).
        case encodedMessage([UInt8])
        case parts([ComposedPart])
    }

    /// `type/subtype`.
    package var type: String
    package var parameters: [(String, String)] = []
    /// `attachment` or `inline`.
    package var disposition: String?
    package var filename: String?
    package var description: String?
    package var content: Content

    package init(type: String, _ content: Content) {
        self.type = type
        self.content = content
    }

    /// text/plain, or another subtype.
    package static func text(_ text: String, subtype: String = "plain") -> ComposedPart {
        ComposedPart(type: "text/\(subtype)", .text(Array(text.utf8)))
    }

    /// An attachment with a file name. `type` is application/octet-stream when it is no type.
    package static func file(name: String, type: String, _ bytes: [UInt8]) -> ComposedPart {
        var part = ComposedPart(type: isType(type) ? type : "application/octet-stream", .bytes(bytes))
        part.disposition = "attachment"
        part.filename = name
        return part
    }

    /// multipart/mixed, /alternative, /report...
    package static func multipart(_ subtype: String, _ parts: [ComposedPart]) -> ComposedPart {
        ComposedPart(type: "multipart/\(subtype)", .parts(parts))
    }

    private static func isType(_ type: String) -> Bool {
        let parts = type.utf8.split(separator: ASCII.slash, omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { $0.isASCIIAlphanumeric || "!#$&-^_.+".utf8.contains($0) }
            }
    }

    /// Appends the part's fields, an empty line and its content.
    func append(to message: inout [UInt8], using generator: inout some RandomNumberGenerator) {
        switch content {
        case .text(let text): appendText(text, to: &message)
        case .bytes(let bytes):
            appendFields(parameters, encoding: "base64", to: &message)
            message += ComposedPart.base64(bytes)
        case .message(let bytes):
            let is7Bit = UTF8Text.isASCII(bytes.span)
            appendFields(parameters, encoding: is7Bit ? nil : "8bit", to: &message)
            message += ComposedPart.canonical(bytes)
        case .encodedMessage(let bytes):
            appendFields(parameters, encoding: "quoted-printable", to: &message)
            message += ComposedPart.quotedPrintable(ComposedPart.canonical(bytes))
        case .parts(let parts):
            // An equals sign and an underscore together occur in no base64 and in no quoted-printable text.
            let boundary = "=_\(MessageBuilder.unique(&generator))"
            // RFC 2045 6.4: what holds 8-bit octets says so, too.
            appendFields(
                parameters + [("boundary", boundary)], encoding: hasEightBit ? "8bit" : nil, to: &message)
            for (index, part) in parts.enumerated() {
                message += Array("\(index == 0 ? "" : "\r\n")--\(boundary)\r\n".utf8)
                part.append(to: &message, using: &generator)
            }
            message += Array("\r\n--\(boundary)--\r\n".utf8)
        }
    }

    /// Some part of it is written with octets beyond ASCII.
    private var hasEightBit: Bool {
        switch content {
        case .text, .bytes, .encodedMessage: false
        case .message(let bytes): !UTF8Text.isASCII(bytes.span)
        case .parts(let parts): parts.contains(where: \.hasEightBit)
        }
    }

    private func appendText(_ text: [UInt8], to message: inout [UInt8]) {
        let canonical = ComposedPart.canonical(text)
        let form = TextForm(canonical)
        let charset = ("charset", form.isASCII ? "us-ascii" : "utf-8")
        let parameters = self.parameters.contains { $0.0 == "charset" } ? self.parameters : self.parameters + [charset]
        if form.is7Bit {
            appendFields(parameters, encoding: nil, to: &message)
            message += canonical
        } else if form.prefersBase64 {
            appendFields(parameters, encoding: "base64", to: &message)
            message += ComposedPart.base64(canonical)
        } else {
            appendFields(parameters, encoding: "quoted-printable", to: &message)
            message += ComposedPart.quotedPrintable(canonical)
        }
    }

    private func appendFields(_ parameters: [(String, String)], encoding: String?, to message: inout [UInt8]) {
        message += HeaderComposition.parameterizedField("Content-Type", type, parameters)
        if let encoding { message += HeaderComposition.structuredField("Content-Transfer-Encoding", encoding) }
        if disposition != nil || filename != nil {
            let parameters = filename.map { [("filename", $0)] } ?? []
            message += HeaderComposition.parameterizedField(
                "Content-Disposition", disposition ?? "attachment", parameters)
        }
        if let description { message += HeaderComposition.field("Content-Description", description) }
        message += [ASCII.cr, ASCII.lf]
    }

    private static func quotedPrintable(_ canonical: [UInt8]) -> [UInt8] {
        ComposedPart.canonical(QuotedPrintable.encode(canonical.span))
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        bytes.isEmpty ? [] : canonical(Base64.encode(bytes.span, lineLength: 76) + [ASCII.lf])
    }

    /// Every LF becomes CRLF; a CRLF stays.
    static func canonical(_ bytes: [UInt8]) -> [UInt8] {
        let span = bytes.span
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 32)
        var place = 0
        while place < span.count {
            let line = span.line(at: place)
            result.append(span: span.extracting(line.content))
            if line.isTerminated { result += [ASCII.cr, ASCII.lf] }
            place = line.next
        }
        return result
    }
}

/// What a text needs on its way.
private struct TextForm {
    private(set) var isASCII = true
    private(set) var is7Bit = true
    /// So much of the text needs escapes that base64 is shorter.
    private(set) var prefersBase64 = false

    init(_ text: [UInt8]) {
        var escapes = 0
        var column = 0
        var longest = 0
        for (index, byte) in text.enumerated() {
            if byte == ASCII.lf {
                column = 0
                continue
            }
            let isBareCR = byte == ASCII.cr && !(index + 1 < text.count && text[index + 1] == ASCII.lf)
            if byte >= 0x80 { isASCII = false }
            if byte >= 0x7F || isBareCR || (byte < 0x20 && byte != ASCII.tab && byte != ASCII.cr) { escapes += 1 }
            column += 1
            longest = max(longest, column)
        }
        is7Bit = escapes == 0 && longest <= 998
        prefersBase64 = escapes > text.count / 4
    }
}
