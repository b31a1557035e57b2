import Bytes

/// A media type with its parameters (RFC 2045 5).
package struct ContentType: Sendable {
    /// Lower case `type/subtype`.
    package let name: String
    /// Parameters in the order of their first appearance; names in lower case, values decoded.
    package var parameters: [ParameterizedField.Parameter]
    /// The boundary parameter as bytes, without trailing white space; nil when there is none.
    package var boundary: [UInt8]?

    package init(name: String, parameters: [ParameterizedField.Parameter] = [], boundary: [UInt8]? = nil) {
        self.name = name
        self.parameters = parameters
        self.boundary = boundary
        isMultipart = name.hasPrefix("multipart/")
        isText = name.hasPrefix("text/")
        isMessage = name == "message/rfc822" || name == "message/global" || name == "message/news"
    }

    package static let plainText = ContentType(name: "text/plain")
    package static let message = ContentType(name: "message/rfc822")

    package let isMultipart: Bool
    package let isText: Bool
    /// Types whose content is a message with a header and a body of its own.
    package let isMessage: Bool

    /// The first parameter of a lower-case name.
    package subscript(parameter: String) -> String? { parameters.first { $0.name == parameter }?.value }

    /// Reads an unfolded Content-Type value; what is no media type is text/plain with the parameters that are there.
    package static func parse(_ value: [UInt8]) -> (type: ContentType, defects: Set<FindingID>) {
        let field = ParameterizedField(value)
        guard let name = mediaType(value) else {
            let type = ContentType(name: plainText.name, parameters: field.parameters)
            return (type, field.defects.union([.badContentType]))
        }
        var type = ContentType(name: name, parameters: field.parameters)
        if let boundary = field.parameters.first(where: { $0.name == "boundary" }) {
            // A boundary is bytes, also when it looks like an encoded word.
            var bytes = boundary.raw ?? Array(boundary.value.utf8)
            while bytes.last?.isMailWhitespace ?? false { bytes.removeLast() }
            if !bytes.isEmpty { type.boundary = bytes }
        }
        return (type, field.defects)
    }

    /// `type/subtype` in lower case.
    private static func mediaType(_ value: [UInt8]) -> String? {
        var rest = skipWhite(value[...])
        let type = rest.prefix(while: isToken)
        rest = skipWhite(rest.dropFirst(type.count))
        guard !type.isEmpty, rest.first == ASCII.slash else { return nil }
        rest = skipWhite(rest.dropFirst())
        let subtype = rest.prefix(while: isToken)
        rest = skipWhite(rest.dropFirst(subtype.count))
        guard !subtype.isEmpty, rest.first != ASCII.slash else { return nil }
        return (type + [ASCII.slash] + subtype).map(\.asciiLowercased).text
    }

    /// Past white space and comments.
    private static func skipWhite(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        var depth = 0
        while let byte = rest.first {
            if byte == ASCII.openParenthesis {
                depth += 1
            } else if byte == ASCII.closeParenthesis, depth > 0 {
                depth -= 1
            } else if depth == 0, !byte.isMailWhitespace {
                break
            }
            rest = rest.dropFirst()
        }
        return rest
    }

    /// RFC 2045 5.1; bytes above 126 are no token.
    private static func isToken(_ byte: UInt8) -> Bool {
        guard byte > 0x20, byte < 0x7F else { return false }
        switch byte {
        case ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.less, ASCII.greater, ASCII.at, ASCII.comma,
            ASCII.semicolon, ASCII.colon, ASCII.backslash, ASCII.quote, ASCII.slash, ASCII.openBracket,
            ASCII.closeBracket, ASCII.question, ASCII.equals:
            return false
        default: return true
        }
    }
}
