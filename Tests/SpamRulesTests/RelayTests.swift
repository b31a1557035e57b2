import Testing

@testable import SpamRules

@Suite("Relays")
struct RelayTests {
    struct Form: Sendable, CustomTestStringConvertible {
        let server: String
        let value: String
        /// `address reverse-name helo by`, a dash for what is not told; nil when the field tells of no relay.
        let relay: String?
        var testDescription: String { server }
    }

    static let forms = [
        Form(
            server: "Postfix",
            value:
                "from mx.example.org (mail.example.org [192.0.2.1])\n\tby mx.example.net (Postfix) with ESMTPS id 4ABC\n\tfor <x@example.net>; Sat, 21 Aug 2004 12:27:43 +0200 (CEST)",
            relay: "192.0.2.1 mail.example.org mx.example.org mx.example.net"),
        Form(
            server: "Postfix, no reverse name",
            value: "from example.org (unknown [192.0.2.1]) by mx.example.net (Postfix) with SMTP id 4ABC",
            relay: "192.0.2.1 - example.org mx.example.net"),
        Form(
            server: "sendmail",
            value:
                "from example.org (IDENT:bob@host.example.org [192.0.2.1]) by mx.example.net (8.12.5/8.12.5) with ESMTP id g98",
            relay: "192.0.2.1 host.example.org example.org mx.example.net"),
        Form(
            server: "sendmail, no reverse name",
            value: "from example.org ([192.0.2.1]) by mx.example.net (8.12.5/8.12.5) with ESMTP id g98",
            relay: "192.0.2.1 - example.org mx.example.net"),
        Form(
            server: "Exim",
            value:
                "from host.example.org ([192.0.2.1] helo=example.org) by mx.example.net with esmtp (Exim 4.96) id 1abc",
            relay: "192.0.2.1 host.example.org example.org mx.example.net"),
        Form(
            server: "qmail",
            value:
                "from host.example.org (HELO example.org) (bob@192.0.2.1) by mx.example.net with SMTP; 21 Aug 2004 10:27:43 -0000",
            relay: "192.0.2.1 host.example.org example.org mx.example.net"),
        Form(
            server: "an address alone", value: "from [192.0.2.1] by mx.example.net with HTTP",
            relay: "192.0.2.1 - - mx.example.net"),
        Form(
            server: "local hand-over of Exim", value: "from mail by mx.example.net with local (Exim 4.96) id 1abc",
            relay: nil),
        Form(
            server: "qmail within a host", value: "(qmail 1234 invoked by uid 0); 21 Aug 2004 10:27:43 -0000",
            relay: nil),
        Form(
            server: "a mail fetcher",
            value: "from mail.example.org [192.0.2.1] by localhost with POP3 (fetchmail-5.9.0)", relay: nil),
    ]

    @Test("Received fields of the common servers", arguments: forms)
    func received(_ form: Form) {
        func word(_ text: String) -> String { text.isEmpty ? "-" : text }
        var found: String?
        if case .relay(let relay) = ReceivedRelay.read(Array(form.value.utf8)) {
            found = [relay.address, relay.reverseName, relay.helo, relay.by].map(word).joined(separator: " ")
        }
        #expect(found == form.relay)
    }

    @Test("networks are read in every form, and hold what is in them")
    func blocks() {
        #expect(AddressBlock("192.0.2.0/24")?.contains("192.0.2.77") == true)
        #expect(AddressBlock("192.0.2.")?.contains("192.0.3.1") == false)
        #expect(AddressBlock("2001:db8::/32")?.contains("2001:db8:1::1") == true)
        #expect(AddressBlock("192.0.2.1")?.contains("192.0.2.2") == false)
        #expect(AddressBlock("nonsense") == nil)
    }
}
