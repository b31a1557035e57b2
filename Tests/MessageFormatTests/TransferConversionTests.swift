import Bytes
import MessageFormat
import Testing

@Suite("Conversion to 7bit and 8bit (RFC 6152 3, RFC 2045 6)") struct TransferConversionTests {
    private static let long = String(repeating: "x", count: 999)

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var domain = TransferConversion.Domain.sevenBit
        var isBinary = false
        let message: String
        /// Nil: the message stays as it is.
        let expected: String?
    }

    /// Octets stand as the characters of Latin-1.
    private static func bytes(_ text: String) -> [UInt8] {
        text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    }

    private static func convert(_ row: Case) throws -> (isEmpty: Bool, message: [UInt8]) {
        let message = bytes(row.message)
        let conversion = try TransferConversion(message.span, to: row.domain, isBinary: row.isBinary)
        var converted: [UInt8] = []
        conversion.write(message.span) { converted.append(span: $0) }
        return (conversion.isEmpty, converted)
    }

    static let cases: [Case] = [
        Case(testDescription: "ASCII stays", message: "Content-Transfer-Encoding: 8bit\n\nx\n", expected: nil),
        Case(
            testDescription: "text becomes quoted-printable, and its field is replaced where it stands",
            message: """
                MIME-Version: 1.0
                content-transfer-encoding: 8bit
                Content-Type: text/plain; charset=iso-8859-1
                X: y

                caf\u{E9} = \u{20}
                From here

                """,
            expected: """
                MIME-Version: 1.0
                Content-Transfer-Encoding: quoted-printable
                Content-Type: text/plain; charset=iso-8859-1
                X: y

                caf=E9 =3D =20
                =46rom here

                """),
        Case(
            testDescription: "a message without MIME gets it, with a charset that is not known (RFC 1428)",
            message: "Subject: x\r\n\r\n\u{E9}\r\n",
            expected: "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
                + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n"),
        Case(
            testDescription: "a message without a header gets one", message: "\u{E9}",
            expected: "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
                + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9"),
        Case(
            testDescription: "a header without an empty line behind it gets that, too", message: "A: b\n\u{E9} x\n",
            expected: "A: b\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
                + "Content-Transfer-Encoding: quoted-printable\n\n=E9 x\n"),
        Case(
            testDescription: "what is encoded is no header field, whatever it looks like",
            message: "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\u{E9}: y\n",
            expected: "MIME-Version: 1.0\nContent-Type: text/plain\n"
                + "Content-Transfer-Encoding: quoted-printable\n\n=E9: y\n"),
        Case(
            testDescription: "a message within one gets fields of its own, not the part that holds it",
            message: "MIME-Version: 1.0\nContent-Type: message/rfc822\n\u{E9}: y\n",
            expected: "MIME-Version: 1.0\nContent-Type: message/rfc822\n\nMIME-Version: 1.0\n"
                + "Content-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\n=E9: y\n"
        ),
        Case(
            testDescription: "parts are converted one by one, and those around them say 7bit (RFC 2045 6.4)",
            message: """
                MIME-Version: 1.0
                Content-Type: multipart/mixed; boundary="b"
                Content-Transfer-Encoding: 8bit

                preamble
                --b
                Content-Transfer-Encoding: 8bit

                plain
                --b

                \u{E9}
                --b
                Content-Type: application/pdf
                Content-Transfer-Encoding: binary

                \u{E9}
                \0
                --b
                Content-Type: message/rfc822
                Content-Transfer-Encoding: 8bit

                Subject: inner

                \u{E9}
                --b--
                epilogue

                """,
            expected: """
                MIME-Version: 1.0
                Content-Type: multipart/mixed; boundary="b"
                Content-Transfer-Encoding: 7bit

                preamble
                --b
                Content-Transfer-Encoding: 7bit

                plain
                --b
                Content-Transfer-Encoding: quoted-printable

                =E9
                --b
                Content-Type: application/pdf
                Content-Transfer-Encoding: base64

                6Q0KAA==
                --b
                Content-Type: message/rfc822
                Content-Transfer-Encoding: 7bit

                Subject: inner
                MIME-Version: 1.0
                Content-Type: text/plain; charset=unknown-8bit
                Content-Transfer-Encoding: quoted-printable

                =E9
                --b--
                epilogue

                """),
        Case(
            testDescription: "stray octets in encoded content are taken as its decoder takes them",
            message: """
                MIME-Version: 1.0
                Content-Type: multipart/mixed; boundary=b

                --b
                Content-Transfer-Encoding: quoted-printable

                =C3=A9 \u{E9}=
                x=3D
                --b
                Content-Type: image/png
                Content-Transfer-Encoding: base64

                AAEC\u{E9}
                Aw==
                --b--

                """,
            expected: """
                MIME-Version: 1.0
                Content-Type: multipart/mixed; boundary=b

                --b
                Content-Transfer-Encoding: quoted-printable

                =C3=A9 =E9x=3D
                --b
                Content-Type: image/png
                Content-Transfer-Encoding: base64

                AAECAw==
                --b--

                """),
        Case(
            testDescription: "message/global may be encoded as a whole (RFC 6532 3.7)",
            message: "MIME-Version: 1.0\nContent-Type: message/global\n\nSubject: \u{C3}\u{A9}\n\n\u{C3}\u{A9}\n",
            expected: "MIME-Version: 1.0\nContent-Type: message/global\nContent-Transfer-Encoding: quoted-printable\n\n"
                + "Subject: =C3=A9\n\n=C3=A9\n"),
        Case(
            testDescription: "text whose line ends are not those of ASCII becomes base64",
            message: "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-16\n\n\u{FF}\u{FE}a\0",
            expected: "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-16\n"
                + "Content-Transfer-Encoding: base64\n\n//5hAA=="),
        Case(
            testDescription: "long lines and NUL are encoded, and 8-bit octets beside them stay", domain: .eightBit,
            message: "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n"
                + "--b\n\n\u{E9}\n--b\n\n\(long)\n--b\n\n\0\n--b--\n",
            expected:
                "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n"
                + "--b\n\n\u{E9}\n--b\nContent-Transfer-Encoding: quoted-printable\n\n"
                + String(repeating: String(repeating: "x", count: 75) + "=\n", count: 13)
                + String(repeating: "x", count: 24)
                + "\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=00\n--b--\n"),
        Case(
            testDescription: "a line of 998 octets is none that is too long", domain: .eightBit,
            message: "\r\n\(long.dropLast())\r\n\u{E9}", expected: nil),
        Case(
            testDescription: "for long lines alone no signature is broken", domain: .eightBit,
            message: "DKIM-Signature: v=1\n\n\(long)\n", expected: nil),
        Case(
            testDescription: "for long lines alone nothing is done to what is signed, or may not be encoded",
            message: "Content-Type: multipart/signed; boundary=b\n\n--b\n\n\(long)\n--b--\n", expected: nil),
        Case(
            testDescription: "octets that are no lines become base64 as they are (RFC 3030 3)", isBinary: true,
            message: "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\r\n",
            expected: "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpiDQo="),
        Case(
            testDescription: "names of encodings that nobody knows are none",
            message: "MIME-Version: 1.0\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: 8-bit\n"
                + "Content-Transfer-Encoding: 7bit\n\n\u{E9}\n",
            expected: "MIME-Version: 1.0\nContent-Type: text/plain; charset=x\n"
                + "Content-Transfer-Encoding: quoted-printable\nContent-Transfer-Encoding: quoted-printable\n\n=E9\n"),
    ]

    @Test("what is converted, and into what", arguments: cases)
    func conversion(_ row: Case) throws {
        let result = try Self.convert(row)
        #expect(result.message.text == Self.bytes(row.expected ?? row.message).text)
        #expect(result.isEmpty == (row.expected == nil))
    }

    @Test(
        "what cannot be converted is told",
        arguments: [
            ("Subject: \u{E9}\n\nx\n", .headerField),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Description: \u{E9}\n\nx\n--b--\n",
                .headerField
            ),
            ("Content-Type: multipart/mixed; boundary=b\n\n\u{E9}\n--b\n\nx\n--b--\n", .outsideParts),
            ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n\u{E9}", .outsideParts),
            ("Content-Type: multipart/mixed\n\n\u{E9}\n", .outsideParts),
            ("Content-Type: multipart/signed; boundary=b\n\n--b\n\n\u{E9}\n--b--\n", .signed),
            ("Content-Type: message/partial; id=x\n\n\u{E9}\n", .type("message/partial")),
            ("Content-Type: message/delivery-status\n\n\u{E9}\n", .type("message/delivery-status")),
            ("Content-Transfer-Encoding: x-yenc\n\n\u{E9}\n", .encoding("x-yenc")),
            ("Content-Transfer-Encoding: x-uuencode\n\n\u{E9}\n", .encoding("x-uuencode")),
        ] as [(String, TransferConversion.Obstacle)])
    func obstacles(message: String, obstacle: TransferConversion.Obstacle) {
        let bytes = Self.bytes(message)
        #expect(throws: obstacle) { _ = try TransferConversion(bytes.span, to: .sevenBit) }
    }

    @Test("of content of any size, no more than a piece is in memory, and places are passed in their order")
    func pieces() throws {
        let line = Self.bytes(String(repeating: "\u{E9}", count: 70) + "\n")
        var message = Self.bytes("MIME-Version: 1.0\nContent-Type: text/plain; charset=x\n\n")
        for _ in 0..<150_000 { message += line }
        var places: [Int] = []
        let conversion = try TransferConversion(message.span, to: .sevenBit) { places.append($0) }
        #expect(places == places.sorted() && (places.last ?? 0) >= 8 << 20)
        places = []
        var largest = 0
        var count = 0
        conversion.write(message.span, passed: { places.append($0) }) {
            largest = max(largest, $0.count)
            count += $0.count
        }
        #expect(places == places.sorted() && largest < 2 << 20 && count > 3 * 70 * 150_000)
    }
}
