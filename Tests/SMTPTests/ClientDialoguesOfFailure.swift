import SMTP

extension ClientSessionTests {
    static let refusals: [ClientDialogue] = [
        ClientDialogue(
            name: "a message larger than the server's limit is not offered (RFC 1870 6)",
            messages: [
                ClientDialogue.message(to: "b@example.org"),
                ClientDialogue.message(to: "b@example.org", content: "\r\n\r\nx\r\n"),
            ],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 SIZE 20
                ! refused - 5.3.4 the message has 21 octets, and the server takes 20
                C: MAIL FROM:<a@example.org> SIZE=7
                S: 552 5.3.4 too big all the same
                ! refused 552 5.3.4 too big all the same
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "a binary message is for a server with BINARYMIME only (RFC 3030 3)",
            messages: [
                {
                    var message = ClientDialogue.message(to: "b@example.org")
                    message.envelope.parameters.body = .binary
                    message.obstacle = "a signed part has 8-bit octets"
                    return message
                }()
            ],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 BINARYMIME
                ! refused - 5.6.3 the message is binary, and the server does not offer BINARYMIME with CHUNKING: it cannot be encoded: a signed part has 8-bit octets
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "8-bit octets are not sent to a server that does not offer 8BITMIME",
            messages: [ClientDialogue.message(to: "b@example.org", content: "\r\nGrüße\r\n")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                ! refused - 5.6.3 the message has 8-bit octets, and the server does not offer 8BITMIME: encode it
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "an address with a line end in it is never written",
            messages: [
                ClientDialogue.message(to: "b@example.org>\r\nRCPT TO:<c@example.org", "d@example.org"),
                ClientDialogue.message(from: "a\n@example.org", to: "d@example.org"),
            ],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<d@example.org>
                S: 250 ok
                C: DATA
                S: 354 go on
                ! message
                S: 250 done
                ! refused - 5.1.3 the address has a control character
                ! accepted 250 - done
                ! refused - 5.1.7 the address has a control character
                C: QUIT
                S: 221 bye
                ! close
                """),
        ClientDialogue(
            name: "DATA refused is the answer for everyone accepted",
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
                S: 550 5.1.1 no such user
                S: 451 4.3.0 no room
                ! temporary 451 4.3.0 no room
                ! refused 550 5.1.1 no such user
                C: QUIT
                S: 221 bye
                ! close
                """),
    ]

    static let endings: [ClientDialogue] = [
        ClientDialogue(
            name: "421 in the middle: what was decided stays, the rest is temporary, and there is no QUIT",
            messages: [
                ClientDialogue.message(to: "b@example.org", "c@example.org", "d@example.org"),
                ClientDialogue.message(to: "e@example.org"),
            ],
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
                S: 550 5.1.1 no such user
                S: 250 ok
                S: 421 4.3.2 going down
                ! refused 550 5.1.1 no such user
                ! temporary 421 4.3.2 going down
                ! temporary 421 4.3.2 going down
                ! close temporary 421 4.3.2 going down
                """),
        ClientDialogue(
            name: "421 in answer to the final dot",
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
                S: 421 4.3.0 disk full
                ! temporary 421 4.3.0 disk full
                ! close temporary 421 4.3.0 disk full
                """),
        ClientDialogue(
            name: "a server that closes before its answer to the final dot may have the message",
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
                ! temporary - 4.4.2 the connection was closed at the final dot: the server may have the message
                ! close temporary - 4.4.2 the connection was closed at the final dot: the server may have the message
                """),
        ClientDialogue(
            name: "an answer of a class without meaning ends the session",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 354 what
                ! temporary - 4.5.0 the server's answer to MAIL makes no sense: 354 what
                ! close temporary - 4.5.0 the server's answer to MAIL makes no sense: 354 what
                """),
        ClientDialogue(
            name: "250 in answer to DATA is not 354: the message stays here",
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250 x
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 250 ok
                C: DATA
                S: 250 ok
                ! temporary - 4.5.0 the server's answer to DATA makes no sense: 250 ok
                ! close temporary - 4.5.0 the server's answer to DATA makes no sense: 250 ok
                """),
        ClientDialogue(
            name: "a session can stop after a step, and says QUIT",
            configuration: ClientConfiguration(heloName: "me.example", lastStep: .recipient),
            messages: [ClientDialogue.message(to: "b@example.org", "c@example.org")],
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                S: 250 ok
                C: RCPT TO:<b@example.org>
                S: 550 5.1.1 no
                C: RCPT TO:<c@example.org>
                S: 250 2.1.5 ok
                C: QUIT
                ! refused 550 5.1.1 no
                ! accepted 250 2.1.5 ok
                S: 221 bye
                ! close accepted 250 2.1.5 ok
                """),
        ClientDialogue(
            name: "a session can drop the connection after a step",
            configuration: ClientConfiguration(heloName: "me.example", lastStep: .data, dropsAfterLastStep: true),
            script: """
                S: 220 x
                C: EHLO me.example
                S: 250-x
                S: 250 PIPELINING
                C: MAIL FROM:<a@example.org>
                C: RCPT TO:<b@example.org>
                C: DATA
                S: 250 ok
                S: 250 ok
                S: 354 go on
                ! accepted 354 - go on
                ! close accepted 354 - go on
                """),
    ]
}
