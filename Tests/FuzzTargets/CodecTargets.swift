import Bytes

extension FuzzTarget {
    static let codecs = [
        FuzzTarget("base64") { bytes in
            _ = Base64.decode(bytes.span)
            let text = Base64.encode(bytes.span)
            require(Base64.decodeStrictly(text.span) == bytes, "base64 decodes what it encodes")
            require(Base64.decode(text.span).bytes == bytes, "the tolerant decoder agrees with the strict one")
        },
        FuzzTarget("quoted-printable") { bytes in
            let whole = QuotedPrintable.decode(bytes.span).bytes
            // The same in two pieces, cut anywhere.
            let cut = bytes.isEmpty ? 0 : Int(bytes[0]) % bytes.count
            var decoder = QuotedPrintable.Decoder()
            var pieces: [UInt8] = []
            decoder.decode(bytes.span.extracting(0..<cut), into: &pieces)
            decoder.decode(bytes.span.extracting(cut..<bytes.count), into: &pieces)
            decoder.finish(into: &pieces)
            require(pieces == whole, "quoted-printable in pieces is quoted-printable in one")
        },
        FuzzTarget("uuencode") { bytes in _ = Uuencode.decode(bytes.span) },
        FuzzTarget("charset") { bytes in
            // The label is the first line, the text the rest.
            let line = bytes.span.line(at: 0)
            let label = bytes.span.array(line.content).text
            let decoded = Charset.decode(bytes.span.extracting(line.next..<bytes.count), label: label)
            require(UTF8Text.isValid(Array(decoded.text.utf8).span), "what is decoded is UTF-8")
            _ = Charset.guess(bytes.span)
            _ = UTF8Text.repaired(bytes.span)
        },
    ]
}
