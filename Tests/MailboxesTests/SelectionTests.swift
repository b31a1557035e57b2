import Bytes
import Mailboxes
import Testing

@Suite("Selection") struct SelectionTests {
    static let message = Array(
        """
        From: =?utf-8?q?Ren=C3=A9?= <r@example.org>
        To: bob@example.net
        Subject: Your invoice, No. 12
        Date: Tue, 31 Dec 2019 23:30:00 -0100
        Status: RO
        X-Status: F
        Content-Type: multipart/mixed; boundary=b

        --b

        please pay
        --b
        Content-Type: application/pdf; name="bill.pdf"

        x
        --b--

        """.utf8)

    func holds(_ text: String) throws(SelectionError) -> Bool {
        try Selection(text).matches(Self.message.span, size: 2_000_000)
    }

    @Test(
        "terms that hold",
        arguments: [
            "subject~invoice and size>1M and has:attachment", "subject:\"YOUR INVOICE\"", "subject~'no\\. \\d+$'",
            "from~ren. and from~@example.org", "from~^René", "date>2019-12-31", "date=2020-01-01", "date>=2020",
            "date<2020-02", "date=2020-01-01T00:30", "not date<2020", "size>=2000000 and size<=2000000", "size!=1K",
            "flag:S and flag:F and flag:seen", "not flag:T", "has:attachment or has:html", "has:subject",
            "not has:cc and !has:bcc", "text~'please\\s+pay'", "filename~\\.pdf$", "type:application/*",
            "subject~(invoice|bill)", "(subject~x or to~bob) and (size<3M)", "subject!~spam", "to=bob@example.net",
            "subject~invoice AND NOT size<1K",
        ])
    func positive(_ text: String) throws { #expect(try holds(text)) }

    @Test(
        "terms that do not hold",
        arguments: [
            "subject~spam", "size<1M", "date<2020", "flag:R", "has:cc", "has:html", "type:image/png", "to=bob",
            "subject~invoice and subject~spam or subject~ham", "cc~.",
        ])
    func negative(_ text: String) throws { #expect(try !holds(text)) }

    @Test(
        "what cannot be read is told with its place",
        arguments: [
            ("", 1), ("subject~a and", 14), ("(subject~a", 1), ("subject~a)", 10), ("subject a", 8), ("size>big", 6),
            ("date>yesterday", 6), ("subject>3", 1), ("has~x", 1), ("flag:SS", 6), ("subject~\"a", 9), ("subject~", 9),
            ("subject~a subject~b", 11), ("size>1M and date>2020-13", 18), ("subject~[a", 9),
        ] as [(String, Int)])
    func errors(_ text: String, _ place: Int) {
        #expect { try holds(text) } throws: { ($0 as? SelectionError)?.place == place }
    }

    @Test("nesting has an end, and any text an answer")
    func hostile() {
        let deep = String(repeating: "(", count: 10_000)
        #expect(throws: SelectionError.self) { try holds(deep) }
        #expect(throws: SelectionError.self) { try holds(String(repeating: "not ", count: 10_000)) }
        for byte in UInt8(0)...127 {
            _ = try? holds("subject~a\(Character(UnicodeScalar(byte)))size>1")
        }
    }
}
