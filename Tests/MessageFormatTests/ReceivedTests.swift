import MessageFormat
import Testing

@Suite("Received fields (RFC 5321 4.4)")
struct ReceivedTests {
    struct Case: Sendable {
        let value: String
        var from: String?
        var helo: String?
        var address: String?
        var by: String?
        var with: String?
        var id: String?
        var recipient: String?
        var epoch: Int?
        var version: String?
        var cipher: String?
    }

    static let cases: [Case] = [
        // Postfix
        Case(
            value: "from mail.example.org (mail.example.org [192.0.2.1]) (using TLSv1.3 with cipher "
                + "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits)) "
                + "(No client certificate requested) by mx.example.net (Postfix) with ESMTPS id 4ABC "
                + "for <x@example.net>; Sat, 21 Aug 2004 12:27:43 +0200 (CEST)",
            from: "mail.example.org", helo: "mail.example.org", address: "192.0.2.1", by: "mx.example.net",
            with: "ESMTPS", id: "4ABC", recipient: "x@example.net", epoch: 1_093_084_063, version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384"),
        Case(
            value: "from [192.168.1.2] (unknown [IPv6:2001:db8::1]) by mx (Postfix) with ESMTPSA id 1; "
                + "Sat, 21 Aug 2004 12:27:43 +0200",
            from: "[192.168.1.2]", helo: "[192.168.1.2]", address: "2001:db8::1", by: "mx", with: "ESMTPSA", id: "1",
            epoch: 1_093_084_063),
        Case(
            value: "by mail.example.org (Postfix, from userid 1000) id 77C3A1; Sat, 21 Aug 2004 12:27:43 +0200",
            by: "mail.example.org", id: "77C3A1", epoch: 1_093_084_063),
        // Exim
        Case(
            value: "from [198.51.100.7] (helo=laptop.lan) by mail.example.org with esmtpsa (TLS1.2:ECDHE_RSA:256) "
                + "(Exim 4.92.3.1) (envelope-from <a@example.org>) id 1abcDE-0001aB-CD for b@example.net; "
                + "Sat, 21 Aug 2004 10:27:43 +0000",
            from: "[198.51.100.7]", helo: "laptop.lan", address: "198.51.100.7", by: "mail.example.org",
            with: "esmtpsa", id: "1abcDE-0001aB-CD", recipient: "b@example.net", epoch: 1_093_084_063,
            version: "TLS1.2", cipher: "ECDHE_RSA"),
        Case(
            value: "from mail.example.org ([192.0.2.1]:41234 helo=[10.0.0.1]) by mx with esmtps (TLS1.3) tls "
                + "TLS_AES_256_GCM_SHA384 (Exim 4.96) id 1x; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "mail.example.org", helo: "[10.0.0.1]", address: "192.0.2.1", by: "mx", with: "esmtps", id: "1x",
            epoch: 1_093_084_063, version: "TLS1.3", cipher: "TLS_AES_256_GCM_SHA384"),
        Case(
            value: "from user by host with local (Exim 4.80) id 1y; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "user", helo: "user", by: "host", with: "local", id: "1y", epoch: 1_093_084_063),
        // sendmail
        Case(
            value: "from relay (host.example.org [203.0.113.9] (may be forged)) by mx.example.net (8.14.4/8.14.4) with "
                + "ESMTP id i7LARh123 (version=TLSv1/SSLv3 cipher=DHE-RSA-AES256-SHA bits=256 verify=NO) "
                + "for <x@example.net>; Sat, 21 Aug 2004 12:27:43 +0200",
            from: "relay", helo: "relay", address: "203.0.113.9", by: "mx.example.net", with: "ESMTP",
            id: "i7LARh123", recipient: "x@example.net", epoch: 1_093_084_063, version: "TLSv1/SSLv3",
            cipher: "DHE-RSA-AES256-SHA"),
        Case(
            value: "(from root@localhost) by host.example.org (8.12.11/8.12.11/Submit) id i7L; "
                + "Sat, 21 Aug 2004 12:27:43 +0200",
            by: "host.example.org", id: "i7L", epoch: 1_093_084_063),
        // qmail
        Case(
            value: "from unknown (HELO foo.example) (user@192.0.2.7) by mx.example.net with SMTP; "
                + "21 Aug 2004 10:27:43 -0000",
            from: "unknown", helo: "foo.example", address: "192.0.2.7", by: "mx.example.net", with: "SMTP",
            epoch: 1_093_084_063),
        Case(value: "(qmail 12345 invoked from network); 21 Aug 2004 10:27:43 -0000", epoch: 1_093_084_063),
        Case(
            value: "from 192.0.2.7 (EHLO bar.example) (192.0.2.7) by mta with SMTP; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "192.0.2.7", helo: "bar.example", address: "192.0.2.7", by: "mta", with: "SMTP",
            epoch: 1_093_084_063),
        // Exchange, Outlook.com
        Case(
            value:
                "from AM0PR.example (2603:10a6:208:ac::18) by AM1PR.example (2603:10a6:208:ab::7) with Microsoft SMTP "
                + "Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.7362.27 via Frontend "
                + "Transport; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "AM0PR.example", helo: "AM0PR.example", address: "2603:10a6:208:ac::18", by: "AM1PR.example",
            with: "Microsoft SMTP Server", id: "15.20.7362.27", epoch: 1_093_084_063, version: "TLS1_2",
            cipher: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        // Gmail
        Case(
            value: "from mail.example.org (mail.example.org. [192.0.2.1]) by mx.google.com with ESMTPS id "
                + "x12-20020a.2.2004.08.21 for <a@gmail.com> (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);"
                + " Sat, 21 Aug 2004 03:27:43 -0700 (PDT)",
            from: "mail.example.org", helo: "mail.example.org", address: "192.0.2.1", by: "mx.google.com",
            with: "ESMTPS", id: "x12-20020a.2.2004.08.21", recipient: "a@gmail.com", epoch: 1_093_084_063,
            version: "TLS1_3", cipher: "TLS_AES_128_GCM_SHA256"),
        Case(
            value: "by 2002:a05:6402:1a4f:b0:50b:c3d4:e5f6 with SMTP id d15; Sat, 21 Aug 2004 03:27:43 -0700 (PDT)",
            by: "2002:a05:6402:1a4f:b0:50b:c3d4:e5f6", with: "SMTP", id: "d15", epoch: 1_093_084_063),
        // Haraka
        Case(
            value:
                "from laptop (host [192.0.2.1]) by mx.example.net (Haraka/2.8.27) with ESMTPSA id A1.1 envelope-from "
                + "<a@example.org> tls TLS_AES_256_GCM_SHA384 (authenticated bits=0); "
                + "Sat, 21 Aug 2004 10:27:43 +0000",
            from: "laptop", helo: "laptop", address: "192.0.2.1", by: "mx.example.net", with: "ESMTPSA", id: "A1.1",
            epoch: 1_093_084_063, cipher: "TLS_AES_256_GCM_SHA384"),
        // smtp-serve
        Case(
            value: "from laptop ([IPv6:::1])\tby mx (Facteur) with ESMTPS\t(using TLSv1.3 TLS_AES_256_GCM_SHA384) id 7"
                + "\tfor <x@y>;\tSat, 21 Aug 2004 10:27:43 +0000",
            from: "laptop", helo: "laptop", address: "::1", by: "mx", with: "ESMTPS", id: "7", recipient: "x@y",
            epoch: 1_093_084_063, version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384"),
        // fetchmail
        Case(
            value:
                "from mail.example.org [192.0.2.1] by localhost with POP3 (fetchmail-6.3.8) for <u@localhost> (single-drop); Sat, 21 Aug 2004 10:27:43 +0000",
            from: "mail.example.org", helo: "mail.example.org", address: "192.0.2.1", by: "localhost", with: "POP3",
            recipient: "u@localhost", epoch: 1_093_084_063),
        // Courier
        Case(
            value:
                "from m.example ([192.0.2.1]) (TLS: TLSv1/SSLv3,256bits,AES256-SHA) by mx.example with esmtp; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "m.example", helo: "m.example", address: "192.0.2.1", by: "mx.example", with: "esmtp",
            epoch: 1_093_084_063, version: "TLSv1/SSLv3", cipher: "AES256-SHA"),
        // Dovecot's LMTP
        Case(
            value:
                "from m.example ([192.0.2.1]) by imap.example with LMTP id ABC (envelope-from <x@y.test>) for <z@w.test>; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "m.example", helo: "m.example", address: "192.0.2.1", by: "imap.example", with: "LMTP", id: "ABC",
            recipient: "z@w.test", epoch: 1_093_084_063),
        // ZMailer, CommuniGate, Yahoo, IIS
        Case(
            value:
                "from m.example ([192.0.2.1]:1234 \"EHLO foo.helo\" rhost-flags-OK) by vger.example with ESMTP id <S260>; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "m.example", helo: "foo.helo", address: "192.0.2.1", by: "vger.example", with: "ESMTP", id: "S260",
            epoch: 1_093_084_063),
        Case(
            value:
                "from [192.0.2.1] (account joe HELO laptop) by m.example (CommuniGate Pro SMTP 4.1) with ESMTP-TLS id 123; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "[192.0.2.1]", helo: "laptop", address: "192.0.2.1", by: "m.example", with: "ESMTP-TLS", id: "123",
            epoch: 1_093_084_063),
        Case(
            value: "from [192.0.2.1] by web.example via HTTP; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "[192.0.2.1]", helo: "[192.0.2.1]", address: "192.0.2.1", by: "web.example", epoch: 1_093_084_063),
        Case(
            value:
                "from e.example ([192.0.2.1]) by o.example with Microsoft SMTPSVC(6.0.3790.3959); Sat, 21 Aug 2004 10:27:43 +0000",
            from: "e.example", helo: "e.example", address: "192.0.2.1", by: "o.example", with: "Microsoft SMTPSVC",
            epoch: 1_093_084_063),
        Case(
            value:
                "from f (IDENT:root@b.example [192.0.2.1]) by m.example (8.11.6/8.11.6) with ESMTP id g7M for <\"x y\"@z.test>; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "f", helo: "f", address: "192.0.2.1", by: "m.example", with: "ESMTP", id: "g7M",
            recipient: "\"x y\"@z.test", epoch: 1_093_084_063),
        // Smail, smtpd
        Case(
            value: "from mx.example from [192.0.2.7] by m.example (Smail3.1) with esmtp for <x@y.test> id <mP/1>; "
                + "Sat, 21 Aug 2004 10:27:43 +0000",
            from: "mx.example", helo: "mx.example", address: "192.0.2.7", by: "m.example", with: "esmtp", id: "mP/1",
            recipient: "x@y.test", epoch: 1_093_084_063),
        Case(
            value: "from m.example(192.0.2.7), claiming to be \"x.example\" via SMTP by g.example, id smtpdV8; "
                + "Sat, 21 Aug 2004 10:27:43 +0000",
            from: "m.example", helo: "m.example", address: "192.0.2.7", by: "g.example", id: "smtpdV8",
            epoch: 1_093_084_063),
        // a clause ends at a semicolon
        Case(
            value: "from a ([192.0.2.1]) by b with ESMTP; some words; id 5; Sat, 21 Aug 2004 10:27:43 +0000",
            from: "a", helo: "a", address: "192.0.2.1", by: "b", with: "ESMTP", id: "5", epoch: 1_093_084_063),
        Case(
            value:
                "from a by b with ESMTP (Client CN \"x; y\", Issuer \"z\" (verified OK)); Sat, 21 Aug 2004 10:27:43 +0000",
            from: "a", helo: "a", by: "b", with: "ESMTP", epoch: 1_093_084_063),
        // traps
        Case(
            value: "from a (by b with c id d for e; from f) by g (with h) (id 1.2.3.4) with SMTP",
            from: "a", helo: "a", by: "g", with: "SMTP"),
        Case(value: "from a (Sendmail 1.2.3.4) by b", from: "a", helo: "a", by: "b"),
        Case(
            value: "from a by b with ESMTP/TLS/AES256", from: "a", helo: "a", by: "b", with: "ESMTP/TLS/AES256",
            version: "TLS", cipher: "AES256"),
        Case(value: "from by mx.example.org", by: "mx.example.org"),
        Case(value: ""),
        Case(value: "; nonsense"),
    ]

    @Test("the clauses of each server's form", arguments: cases)
    func clauses(_ expected: Case) {
        let hop = ReceivedHop(Array(expected.value.utf8))
        #expect(hop.from == expected.from)
        #expect(hop.helo == expected.helo)
        #expect(hop.address == expected.address)
        #expect(hop.by == expected.by)
        #expect(hop.with == expected.with)
        #expect(hop.id == expected.id)
        #expect(hop.for == expected.recipient)
        #expect(hop.date?.epoch == expected.epoch)
        #expect(hop.tls?.version == expected.version)
        #expect(hop.tls?.cipher == expected.cipher)
    }

    @Test("via may have several words")
    func via() {
        let hop = ReceivedHop(Array("from a by b with mapi id 1.2 via Frontend Transport; x".utf8))
        #expect(hop.via == "Frontend Transport")
        #expect(hop.with == "mapi")
    }

    @Test("delays count from the hop below; the last has none")
    func delays() {
        let hops = ["43", "41", "51"].map {
            ReceivedHop(Array("by x; Sat, 21 Aug 2004 12:27:\($0) +0200".utf8))
        }
        #expect(ReceivedHop.delays(hops) == [2, -10, nil])
    }
}

@Suite("Authentication-Results (RFC 8601)")
struct AuthenticationResultsTests {
    private func parse(_ text: String) -> AuthenticationResults { AuthenticationResults(Array(text.utf8)) }

    @Test("none gives no result", arguments: ["example.org 1; none", "example.org; none", "example.org;none (x)"])
    func none(_ text: String) {
        #expect(parse(text).server == "example.org")
        #expect(parse(text).results.isEmpty)
    }

    @Test("methods, results, reasons, properties, comments")
    func results() {
        let field = parse(
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail "
                + "policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) "
                + "1362471462; SPF=Pass reason=\"good; (very) \\\"signature\\\"\" smtp.mailfrom=example.net "
                + "smtp.MailFrom=second; dkim=pass header.i=@mail-router.example.net header.b=\"oINEO8hg\"")
        #expect(field.server == "foo.example.net")
        #expect(field.results.map(\.method) == ["dkim", "spf", "dkim"])
        #expect(field.results.map(\.result) == ["fail", "pass", "pass"])
        #expect(field.results[0].properties == [.init(name: "policy.expired", value: "1362471462")])
        #expect(field.results[1].reason == "good; (very) \"signature\"")
        #expect(field.results[1].properties == [.init(name: "smtp.mailfrom", value: "example.net")])
        #expect(
            field.results[2].properties
                == [
                    .init(name: "header.i", value: "@mail-router.example.net"),
                    .init(name: "header.b", value: "oINEO8hg"),
                ])
    }

    @Test("a field without server begins with a result")
    func noServer() {
        let field = parse("spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dmarc=pass action=none;")
        #expect(field.server == nil)
        #expect(field.results.map(\.method) == ["spf", "dmarc"])
        #expect(field.results[1].properties == [.init(name: "action", value: "none")])
    }
}
