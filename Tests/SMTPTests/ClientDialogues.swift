import SASL
import SMTP

extension ClientSessionTests {
    static let dialogues: [ClientDialogue] =
        opening + encryption + transactions + refusals + endings + chunksAndParameters + [internationalByLMTP]

    static let opening: [ClientDialogue] = [
        ClientDialogue(
            name: "without PIPELINING, each command waits for the answer to the one before",
            script: """
                S: 220 mx.example ESMTP
                C: EHLO me.example
                S: 250 mx.example
                C: MAIL FROM:<a@example.org>
                S: 250 2.1.0 ok
                C: RCPT TO:<b@example.org>
                S: 250 2.1.5 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 2.0.0 queued as 7F3A
                ! accepted 250 2.0.0 queued as 7F3A
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "with PIPELINING, MAIL, RCPT and DATA go out in one write (RFC 2920 3.1)",
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org")],
            script: """
                S: 220-mx.example ESMTP
                S: 220 no mail from strangers
                C: EHLO me.example
                S: 250-mx.example
                S: 250-pipelining
                S: 250 SIZE 10240000
                C: MAIL FROM:<a@example.org> SIZE=21
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<c@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 251 will forward
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "a server without EHLO is greeted with HELO, and offered no parameters (RFC 5321 3.2)",
            script: """
                S: 220 old.example
                C: EHLO me.example
                S: 500 what?
                C: HELO me.example
                S: 250 old.example
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "a server that takes no mail says so in its greeting (RFC 5321 3.1)",
            script: """
                S: 554 5.3.2 no SMTP service here
                C: QUIT
                S: 221 bye
                ! close refused 554 5.3.2 no SMTP service here
                """),
        ClientDialogue(
            name: "a greeting of 421 is temporary, and the server closes",
            script: """
                S: 421 4.3.2 too busy
                ! close temporary 421 4.3.2 too busy
                """),
        ClientDialogue(
            name: "a temporary answer to EHLO is no reason for HELO",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 450 4.3.2 later
                C: QUIT
                S: 221 bye
                ! close temporary 450 4.3.2 later
                """),
        ClientDialogue(
            name: "a server that does not speak SMTP is left",
            script: """
                S: HTTP/1.1 400 Bad Request
                ! close temporary - 4.5.0 the server does not speak SMTP: HTTP/1.1 400 Bad Request
                """),
        ClientDialogue(
            name: "the codes of a reply's lines may differ: the last one counts",
            script: """
                S: 250-220 here
                S: 220 x
                C: EHLO me.example
                S: 220-x
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: DATA
                S: 250-fine
                S: 450 4.1.8 no such sender here
                S: 503 5.5.1 MAIL first
                S: 503 5.5.1 MAIL first
                ! temporary 450 4.1.8 fine|no such sender here
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "LMTP: LHLO, and an answer for each recipient that was taken (RFC 2033 4.2)",
            configuration: ClientConfiguration(heloName: "me.example", dialect: .lmtp),
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org", "d@example.org")],
            script: """
                S: 220 x
                C: LHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<c@example.org>
                C: RCPT TO:<d@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 550 5.1.1 no such user
                S: 250 ok
                S: 354 go on
                ! message
                S: 250 2.0.0 delivered
                S: 452 4.2.2 over quota
                ! accepted 250 2.0.0 delivered
                ! refused 550 5.1.1 no such user
                ! temporary 452 4.2.2 over quota
                C: QUIT
                S: 221 bye
                ! close
                """),
    ]

    static let encryption: [ClientDialogue] = [
        ClientDialogue(
            name: "STARTTLS is used when offered; what was learned before it is forgotten (RFC 3207 4.2)",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-PIPELINING
                S: 250-SIZE 5
                S: 250 STARTTLS
                C: STARTTLS
                S: 220 go
                ! TLS
                C: EHLO me.example
                S: 250-x
                S: 250 SIZE
                C: MAIL FROM:<a@example.org> SIZE=21
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "TLS that is required and not offered: no mail",
            configuration: ClientConfiguration(heloName: "me.example", tls: .required),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: QUIT
                S: 221 bye
                ! close temporary - 4.7.4 TLS is required, but the server does not offer STARTTLS
                """),
        ClientDialogue(
            name: "TLS that is required and refused: no mail",
            configuration: ClientConfiguration(heloName: "me.example", tls: .required),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 STARTTLS
                C: STARTTLS
                S: 454 4.7.0 not now
                C: QUIT
                S: 221 bye
                ! close temporary - 4.7.4 TLS is required, but the server refused STARTTLS: 454 4.7.0 not now
                """),
        ClientDialogue(
            name: "opportunistic TLS that is refused is done without (RFC 7435)",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 STARTTLS
                C: STARTTLS
                S: 454 4.7.0 not now
                C: MAIL FROM:<a@example.org>
                S: 550 5.7.1 not you
                ! refused 550 5.7.1 not you
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "AUTH PLAIN with its response in the command, over TLS; no transcript shows it",
            configuration: ClientConfiguration(heloName: "me.example", tls: .required, credentials: tim()),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-AUTH PLAIN
                S: 250 STARTTLS
                C: STARTTLS
                S: 220 go
                ! TLS
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH CRAM-MD5 PLAIN LOGIN
                C* AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm
                S: 235 2.7.0 welcome
                C: MAIL FROM:<a@example.org>
                S: 550 5.7.1 not you
                ! refused 550 5.7.1 not you
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "AUTH LOGIN answers two prompts",
            configuration: ClientConfiguration(
                heloName: "me.example", tls: .implicit, credentials: tim(mechanism: .login)),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH=LOGIN PLAIN
                C: AUTH LOGIN
                S: 334 VXNlcm5hbWU6
                C* dGlt
                S: 334 UGFzc3dvcmQ6
                C* dGFuc3RhYWZ0YW5zdGFhZg==
                S: 535 5.7.8 no
                C: QUIT
                S: 221 bye
                ! close refused 535 5.7.8 no
                """),
        ClientDialogue(
            name: "in clear, the password itself is not shown; CRAM-MD5 is",
            configuration: ClientConfiguration(heloName: "me.example", tls: .never, credentials: tim()),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH PLAIN CRAM-MD5
                C: AUTH CRAM-MD5
                S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
                C* dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
                S: 454 4.7.0 later
                C: QUIT
                S: 221 bye
                ! close temporary 454 4.7.0 later
                """),
        ClientDialogue(
            name: "no password leaves when only mechanisms that show it are offered in clear",
            configuration: ClientConfiguration(heloName: "me.example", credentials: tim()),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH PLAIN LOGIN
                C: QUIT
                S: 221 bye
                ! close refused - 5.7.4 the password is not sent without TLS, and the server offers only PLAIN LOGIN
                """),
        ClientDialogue(
            name: "a mechanism that was asked for and is not offered is named",
            configuration: ClientConfiguration(heloName: "me.example", credentials: tim(mechanism: .scramSHA256)),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH PLAIN LOGIN
                C: QUIT
                S: 221 bye
                ! close refused - 5.7.4 the server does not offer SCRAM-SHA-256, but PLAIN LOGIN
                """),
        ClientDialogue(
            name: "mechanisms of which none is known are not said to need TLS",
            configuration: ClientConfiguration(heloName: "me.example", credentials: tim()),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 AUTH GSSAPI XOAUTH2
                C: QUIT
                S: 221 bye
                ! close refused - 5.7.4 the server offers no mechanism that fits: GSSAPI XOAUTH2
                """),
    ]

    /// The user of RFC 2195's example.
    static func tim(mechanism: SASLClientMechanism? = nil) -> SASLCredentials {
        SASLCredentials(
            user: Array("tim".utf8), secret: .password(Array("tanstaaftanstaaf".utf8)), mechanism: mechanism)
    }

    static let transactions: [ClientDialogue] = [
        ClientDialogue(
            name: "one recipient refused does not stop the rest",
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org", "d@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 550 5.1.1 no such user
                C: RCPT TO:<c@example.org>
                S: 250 ok
                C: RCPT TO:<d@example.org>
                S: 451 4.2.0 later
                C: DATA
                S: 354 go on
                ! message
                S: 250 2.0.0 queued
                ! refused 550 5.1.1 no such user
                ! accepted 250 2.0.0 queued
                ! temporary 451 4.2.0 later
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "nobody accepted, and DATA was pipelined: a lone dot ends the message at once (RFC 2920 3.1)",
            messages: [ClientDialogue.message(to: "b@example.org"), ClientDialogue.message(to: "c@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: DATA
                S: 250 ok
                S: 550 5.1.1 no such user
                S: 354 go on
                C: .
                S: 554 5.5.1 no valid recipients
                ! refused 550 5.1.1 no such user
                C: RSET
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<c@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 250 ok
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "nobody accepted, without PIPELINING: no DATA, and RSET before the next message",
            messages: [ClientDialogue.message(to: "b@example.org"), ClientDialogue.message(to: "c@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 550 5.1.1 no such user
                ! refused 550 5.1.1 no such user
                C: RSET
                S: 250 ok
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<c@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "a temporary answer to the final dot is temporary for every recipient",
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<c@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 250 ok
                S: 354 go on
                ! message
                S: 451 4.3.0 try later
                ! temporary 451 4.3.0 try later
                ! temporary 451 4.3.0 try later
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "552 for one recipient too many is the old form of 452 (RFC 5321 4.5.3.1.10)",
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org", "d@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<c@example.org>
                C: RCPT TO:<d@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 552 too many recipients
                S: 552 5.2.2 mailbox full
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                ! temporary 552 - too many recipients
                ! refused 552 5.2.2 mailbox full
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "8-bit octets are declared (RFC 6152), UTF-8 addresses too (RFC 6531)",
            messages: [ClientDialogue.message(from: "", to: "jürgen@example.org", content: "\r\nGrüße\r\n")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-8BITMIME
                S: 250-SMTPUTF8
                S: 250 SIZE 0
                C: MAIL FROM:<> SIZE=11 BODY=8BITMIME SMTPUTF8
                S: 250 ok
                C: RCPT TO:<jürgen@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "without SMTPUTF8 those whose address is not ASCII are refused, and the others go on",
            messages: [
                ClientDialogue.message(to: "jürgen@example.org", "b@example.org"),
                ClientDialogue.message(to: "jürgen@example.org"),
                ClientDialogue.message(from: "jürgen@example.org", to: "b@example.org"),
            ],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! refused - 5.6.7 the address is not ASCII, and the server does not offer SMTPUTF8
                ! accepted 250 - done
                ! refused - 5.6.7 an address is not ASCII, and the server does not offer SMTPUTF8
                ! refused - 5.6.7 an address is not ASCII, and the server does not offer SMTPUTF8
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name:
                "a header with UTF-8 that was declared needs SMTPUTF8 (RFC 6531 3.2), one that was not goes as it came",
            messages: [international(isDeclared: true), international(isDeclared: false)],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 8BITMIME
                ! refused - 5.6.7 the header is not ASCII, and the server does not offer SMTPUTF8
                C: MAIL FROM:<a@example.org> BODY=8BITMIME
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 550 no
                ! refused 550 - no
                C: QUIT
                S: 221 bye
                ! close
                """),
    ]

    static let internationalByLMTP = ClientDialogue(
        name: "a mailbox store gets a header with UTF-8 though it does not know SMTPUTF8",
        configuration: ClientConfiguration(heloName: "me.example", dialect: .lmtp),
        messages: [international(isDeclared: true)],
        script: """
            S: 220 x
            C: LHLO me.example
            S: 250-x
            S: 250 8BITMIME
            C: MAIL FROM:<a@example.org> BODY=8BITMIME
            S: 250 ok
            C: RCPT TO:<b@example.org>
            S: 550 no
            ! refused 550 - no
            C: QUIT
            S: 221 bye
            ! close
            """)

    private static func international(isDeclared: Bool) -> ClientTransaction {
        var message = ClientDialogue.message(to: "b@example.org", content: "Subject: Grüße\r\n\r\nx\r\n")
        message.hasInternationalHeader = true
        message.envelope.parameters.smtpUTF8 = isDeclared
        return message
    }
}

extension ClientSessionTests {
    private static func asking(
        _ notify: RecipientParameters.Notify?, requiresStatus: Bool = false,
        _ change: (inout MailParameters) -> Void = { _ in }
    ) -> ClientTransaction {
        var message = ClientDialogue.message(to: "b@example.org")
        message.envelope.recipients[0].parameters.notify = notify
        message.requiresStatus = requiresStatus
        change(&message.envelope.parameters)
        return message
    }

    static let chunksAndParameters: [ClientDialogue] = [
        ClientDialogue(
            name: "with CHUNKING and PIPELINING a small message goes in one write with its commands (RFC 3030 4.2)",
            messages: [ClientDialogue.message(to: "b@example.org", "nobody@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-PIPELINING
                S: 250 CHUNKING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<nobody@example.org>
                C: BDAT 21 LAST
                ! chunk
                S: 250 ok
                S: 250 ok
                S: 550 5.1.1 no such user
                S: 250 2.0.0 21 octets received
                ! accepted 250 2.0.0 21 octets received
                ! refused 550 5.1.1 no such user
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "without PIPELINING a chunk waits for the answers to RCPT; one that is refused is followed by RSET",
            messages: [ClientDialogue.message(to: "b@example.org"), ClientDialogue.message(to: "c@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 CHUNKING
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: BDAT 21 LAST
                ! chunk
                S: 452 4.3.1 full
                ! temporary 452 4.3.1 full
                C: RSET
                S: 250 ok
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<c@example.org>
                S: 550 5.1.1 no such user
                ! refused 550 5.1.1 no such user
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "all recipients refused: the chunk that went with them is for nobody",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-PIPELINING
                S: 250 CHUNKING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: BDAT 21 LAST
                ! chunk
                S: 250 ok
                S: 550 5.1.1 no such user
                S: 503 5.5.1 nobody to receive it
                ! refused 550 5.1.1 no such user
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "LMTP with CHUNKING: an answer for each recipient that was taken",
            configuration: ClientConfiguration(heloName: "me.example", dialect: .lmtp),
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org")],
            script: """
                S: 220 x
                C: LHLO me.example
                S: 250-x
                S: 250-PIPELINING
                S: 250 CHUNKING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: RCPT TO:<c@example.org>
                S: 250 ok
                S: 250 ok
                S: 250 ok
                C: BDAT 21 LAST
                ! chunk
                S: 250 b has it
                S: 452 4.2.2 over quota
                ! accepted 250 - b has it
                ! temporary 452 4.2.2 over quota
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "parameters of DSN go to a server that offers it (RFC 3461 4)",
            messages: [
                asking([.success, .failure]) {
                    $0.returned = .headers
                    $0.envelopeID = "q+2B1"
                }
            ],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 DSN
                C: MAIL FROM:<a@example.org> RET=HDRS ENVID=q+2B1
                S: 250 ok
                C: RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE
                S: 550 no
                ! refused 550 - no
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "to one that does not offer it they do not go, or the message does not",
            messages: [asking([]), asking([], requiresStatus: true)],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 550 no
                ! refused 550 - no
                ! refused - 5.3.3 notifications are required, and the server does not offer DSN
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "REQUIRETLS needs a server of which is sure who it is (RFC 8689 4.2.1)",
            configuration: ClientConfiguration(heloName: "me.example", tls: .implicit, isPeerSure: false),
            messages: [asking(nil) { $0.requiresTLS = true }],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 REQUIRETLS
                ! refused - 5.7.30 the message must stay encrypted, and nothing vouches for the server (DANE, MTA-STS)
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "REQUIRETLS needs TLS and a server that offers it (RFC 8689 4.2.1)",
            messages: [asking(nil) { $0.requiresTLS = true }],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-REQUIRETLS
                S: 250 STARTTLS
                C: STARTTLS
                S: 220 go
                ! TLS
                C: EHLO me.example
                S: 250-x
                S: 250 REQUIRETLS
                C: MAIL FROM:<a@example.org> REQUIRETLS
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: DATA
                S: 354 go
                ! message
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "REQUIRETLS in clear: no mail",
            messages: [asking(nil) { $0.requiresTLS = true }],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 REQUIRETLS
                ! refused - 5.7.30 the message must stay encrypted, and there is no TLS
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "a binary message needs BINARYMIME and CHUNKING (RFC 3030 3)",
            messages: [asking(nil) { $0.body = .binary }],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250-CHUNKING
                S: 250 BINARYMIME
                C: MAIL FROM:<a@example.org> BODY=BINARYMIME
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: BDAT 21 LAST
                ! binaryChunk
                S: 250 done
                ! accepted 250 - done
                C: QUIT
                S: 221 bye
                ! close
                """),
    ]
}
