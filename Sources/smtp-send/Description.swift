import CommandLineTool

extension SmtpSend {
    static let description = ToolDescription(
        name: "smtp-send",
        summary: "send messages by SMTP, and say what became of each recipient",
        synopsis: [
            "[options] [MESSAGE...]", "[options] --batch FILE", "--queue DIR [options] [MESSAGE...]",
            "--queue DIR --run|--watch|--list|--show ID",
            "--queue DIR --hold ID|--release ID|--remove ID|--reroute ID",
            "--sendmail [sendmail's options] [RECIPIENT...]",
        ],
        details: """
            Sends each MESSAGE to its recipients: a file with one message, an mbox, a Maildir; - or none is standard \
            input (one message, or an mboxrd stream). Line ends become CRLF, dots are stuffed, and no bare CR or LF \
            leaves; else the bytes go out as they are.

            Without --server, the domain of each recipient says where to: its mail exchanges are tried by preference \
            and address by address (RFC 5321 5.1). A temporary failure leads to the next, and so does a host that takes no \
            mail at all or lacks what the message needs; a permanent one is final.

            With --subject, --header, --body or --attach it composes the message itself. With -t the recipients stand in \
            the header, as sendmail(8) has it: Bcc is removed, and From, Date and Message-ID are added when missing.

            One recipient that is refused does not stop the others. What became of each is told one a line, failures \
            on standard error.

            With --queue messages are put on the disk first and then sent at once, as sendmail and msmtpq do (--queue-only: \
            not at once); what cannot be sent now stays there, and that is a success: the queue has it.
            """,
        options: SendOptions.all, sections: sections, examples: examples, exitCodes: exitCodes,
        seeAlso: ["smtp-serve(1)", "mx(1)", "sendmail(8)"])

    private static let sections: [ToolDescription.Section] = [
        .init(
            "QUEUE",
            """
            A queue is a directory. ID.bsmtp is a message with its envelope as batch SMTP (RFC 2442), which can be read, \
            played to any server (--batch) and, while it is held, edited; ID.log tells what became of each recipient so \
            far. A message is on the disk before anything is promised. Several programs may write to a queue and several \
            runners work on it; a lock ends with its process, so a kill at any instant loses nothing. Where it could not be \
            noted what became of a message, because the disk is full or the queue cannot be written to, nothing is sent.

            --run tries everything that is not held, now; with --due, what is due. --watch sends what is due and what \
            comes in (inotify) until SIGTERM. After a temporary failure a recipient is tried again after 5 minutes, then \
            10, 20 and so on, at most 4 hours apart, for 5 days (--retry, --lifetime). One that is refused or given up \
            comes back to the sender in a bounce (RFC 3464), which goes out like any mail; after 4 hours the sender hears \
            that it takes long (--delay-notice). NOTIFY, RET, ENVID and ORCPT are obeyed (RFC 3461). A bounce is never \
            bounced. A wrong password or certificate bounces nothing. To a sender whose address is ASCII, a bounce is plain \
            mail, whatever the message was (RFC 6533).

            --list shows what is there, --show prints a message, --hold, --release and --remove change it, and --reroute \
            with --server sends it another way. They take an ID or all.
            """),
        .init(
            "JSON",
            """
            With --json, one object a recipient: recipient, outcome (accepted, refused, temporary, queued), code (the reply \
            code, null when there was no reply), enhanced (the enhanced status code), text, host, port, tls (the \
            version of TLS, null in clear), ms (milliseconds from the first attempt), message (the file's name), and with \
            a queue id.

            --list: one object a message: id, sender, size, arrived, held, route, recipients; each of these has recipient, \
            status (waiting, delivered, failed), attempts, next, code, enhanced, text, host.

            --repeat and --parallel: one object: messages, accepted, refused, temporary, seconds, rate, ms_median, ms_90, \
            ms_99, ms_max.

            --script: one object an expectation: line, expected, ok, code, text.
            """),
        .init(
            "TLS AND PASSWORDS",
            """
            With --tls auto, STARTTLS is used when the server offers it. With --server it is verified; the hosts of \
            MX records get it as it comes, and the mail in clear when it fails (RFC 7435). With require there is no \
            mail without verified TLS; implicit is TLS from the first octet on.

            Where DNSSEC-signed TLSA records or a policy by MTA-STS ask for it, the hosts of MX records must show the \
            right certificate, else they get no mail (DANE, RFC 7672; RFC 8461; --policies). DNSSEC counts only from \
            a resolver that is trusted: one on this machine, or with "options trust-ad" in resolv.conf.

            With --requiretls a message goes only where it is sure who takes it: to the --server by a verified \
            certificate, to a host of an MX record when DNSSEC or MTA-STS vouches for its name (RFC 8689).

            A password is shown to the --server only, and without TLS to this machine only (through no proxy and no \
            program), unless --tls never says otherwise. SCRAM and CRAM-MD5 do not show it; with SCRAM the server proves, too, that it knows it. With a \
            token OAUTHBEARER or XOAUTH2 is used. The secret comes from a file, a descriptor or a program, never from the \
            command line.
            """),
        .init(
            "BEYOND ASCII",
            """
            A domain in another script goes out in its ASCII form, so that any server can take it. An address whose local \
            part is not ASCII needs a server that offers SMTPUTF8 (RFC 6531), and so does a message with UTF-8 in its \
            header, unless it goes to a mailbox store by LMTP; other recipients of the message go on without it.

            Octets beyond ASCII in the body need 8BITMIME (RFC 6152). For a server without it the message is encoded on \
            its way, part by part: text as quoted-printable, everything else as base64. A message without MIME gets it, \
            with the charset unknown-8bit (RFC 1428). So is a binary message where BINARYMIME or CHUNKING is missing. \
            Parts with a line of more than 998 octets or a NUL are encoded, too, unless the server offers BINARYMIME or \
            is a mailbox store (LMTP), or a DKIM signature or ARC seal would be broken for that alone. All other parts \
            stay as they are, and so does the message in a queue and for other servers. A signature of --dkim is that of \
            what is sent; with --queue, the encoding comes before it (RFC 6376 5.3).

            Octets beyond ASCII in a header field, in a signed part (multipart/signed) or in one that may not be encoded \
            (message/partial) cannot be helped so: the message is refused, unless another host of the domain takes it. \
            With --no-encoding nothing is encoded: what the server does not offer to take is refused, and long lines go \
            as they are.
            """),
        .init(
            "SIGNING",
            """
            --dkim signs with DKIM (RFC 6376, RFC 8463), with several keys when given several times. From, Subject, To, \
            Date, Cc, Reply-To, Content-Type and MIME-Version are signed once more than they stand there, so that none \
            can be added; absent fields are left out. --dkim-options: c= (relaxed/relaxed), h= names in place of \
            these, x= the lifetime, i= the identity, l signs the length, so that a body may grow; t= always stands.

            --arc-seal adds an ARC set (RFC 8617) above a message: the chain is validated first, and the \
            Authentication-Results of --authserv-id are sealed. A chain that has failed is sealed once. What cannot \
            be signed ends with 65: no From or two, h= without from, i= outside of the domain, an RSA key under \
            1024 bits.
            """),
        .init(
            "TESTS OF A SERVER",
            """
            --quit-after and --drop-after end the session when a step was answered: greeting, helo, tls, auth, mail, rcpt, \
            data (where only closing is left) or dot. The answer counts as the result. A step that does not come, as tls \
            where none is offered, is a failure, and nothing further is said. Before rcpt no --to is needed with --server.
            """),
        .init(
            "SCRIPT",
            """
            --script plays a file to --server. A line is one of

                C: TEXT       send the text and CRLF
                R: BYTES      send the bytes as they are
                S: CODE[|CODE...]   expect a reply that begins so (250, 2, 4|5); S: alone: any reply
                S: close      expect the end of the connection
                S: none T     expect no reply for the time T
                W: T          wait
                T:            begin TLS
                # ...         a comment

            In C: and R: \\r \\n \\t \\0 \\\\ and \\xHH are octets. The first expectation that is not met ends it with 76.
            """),
        .init(
            "SENDMAIL",
            """
            Called as sendmail, mailq or newaliases, or with --sendmail, -i, -bs, -bp or an -o setting, it takes sendmail's \
            command line: recipients are operands, and the message is standard input. Of its letters -t -f -r -F -i -oi -odq \
            -N -R -V -v -q -bm -bs -bp -bi -bv -C have their meaning; others that sendmail knows change nothing. Long \
            options of this tool may stand among them. Called by one of these names, it reads options from ~/.smtp-send, \
            else from /etc/smtp-send.conf: a line as 'queue /var/spool/smtp-send' or 'server relay.example.org' is enough \
            for cron, mail, mutt and git send-email.
            """),
    ]

    private static let examples: [ToolDescription.Example] = [
        .init(
            "Send a message to a server",
            "smtp-send --server localhost:2525 --from a@example.org --to b@example.org m.eml"),
        .init(
            "Send it where the recipients' domains say, with a result a recipient for a script",
            "smtp-send --json --from a@example.org --to b@example.net,c@example.com m.eml"),
        .init(
            "Compose a message with an attachment",
            "smtp-send --to b@example.org --subject Figures --body 'As promised.' --attach figures.pdf"),
        .init(
            "Submit with a password that a program keeps",
            "smtp-send --server mail.example.org:587 --tls require --user ann --password-command 'pass mail' -t <m.eml"),
        .init(
            "See what would be sent, signed",
            "smtp-send --dry-run --dkim example.org:s1:key.pem --from a@example.org --to b@example.net m.eml"),
        .init(
            "See what a server says, up to RCPT",
            "smtp-send -v --quit-after rcpt --server mx.example.org --to b@example.org"),
        .init("Run a queue", "smtp-send --queue /var/spool/mail-out --watch"),
        .init(
            "A load test: 1,000 messages over 10 connections",
            "smtp-send --server localhost:2525 --to b@example.org --subject x --repeat 1000 --parallel 10"),
    ]

    private static let exitCodes: [(ExitCode, String)] = [
        (.ok, "all recipients accepted, or in the queue"),
        (.usage, "wrong usage"),
        (.dataError, "a message cannot be used"),
        (.noInput, "a message file cannot be read; no such message in the queue"),
        (.noHost, "no such host or domain"),
        (.unavailable, "some or all refused for good"),
        (.ioError, "reading or writing failed"),
        (.temporaryFailure, "some or all not delivered yet: try again later"),
        (.protocolError, "the server does not speak SMTP, or not what the script expects"),
        (.noPermission, "the server refused the credentials"),
        (.configuration, "a file or a program that options name does not work"),
    ]
}
