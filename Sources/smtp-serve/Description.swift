import CommandLineTool
import ServerTool

extension SmtpServe {
    static let description = ToolDescription(
        name: "smtp-serve",
        summary: "receive mail over SMTP or LMTP and deliver it",
        synopsis: ["[options]"],
        details: """
            Listens for SMTP and delivers each message to the Maildir of each recipient. Without options it listens on \
            127.0.0.1:2525 and delivers to ./mail/<local-part>/.

            A message is answered with 250 when it is on the disk, synced, wherever it goes: it survives kill -9 and a \
            power loss. Many sessions share the flushes. Before that nothing of it is visible, and when it cannot be \
            stored the answer is 451 or 452 and nothing of it remains.

            Only CRLF . CRLF ends a message; a lone LF in it is a line end, a message with a lone CR is refused. \
            Messages are stored with LF line ends; binary ones (BODY=BINARYMIME) as they came. A message in a mailbox has \
            one Return-Path, the server's own.

            SIGTERM and SIGINT stop it: transactions that have begun to send data are finished, the others get 421. \
            SIGHUP reads users, aliases, accounts and the certificate again.
            """,
        options: [
            AnyOption(server.listen), AnyOption(lmtp), AnyOption(standardInput), AnyOption(hostname),
            AnyOption(server.maximumConnections), AnyOption(server.timeout), AnyOption(greetingDelay),
            AnyOption(threads),
            AnyOption(server.user), AnyOption(mail), AnyOption(mbox), AnyOption(pipe), AnyOption(domain),
            AnyOption(users), AnyOption(aliases), AnyOption(relayFor), AnyOption(queue), AnyOption(sink),
            AnyOption(standardOutput), AnyOption(showUsers), AnyOption(maximumSize), AnyOption(maximumRecipients),
            AnyOption(maximumRate), AnyOption(greylist), AnyOption(blockList), AnyOption(refuseScore), AnyOption(spf),
            AnyOption(dkim), AnyOption(dmarc), AnyOption(arc), AnyOption(dns),
            AnyOption(dnsServers), AnyOption(filter), AnyOption(filterTimeout), AnyOption(filterOpen),
            AnyOption(quarantine), AnyOption(server.certificate), AnyOption(server.key),
            AnyOption(server.clientAuthorities), AnyOption(server.requireTLS), AnyOption(accounts),
            AnyOption(rule), AnyOption(seed), AnyOption(server.json), AnyOption(server.verbose),
            AnyOption(server.quiet),
        ],
        operands: .nothing,
        sections: manual,
        examples: [
            .init("A server for tests, with its events", "smtp-serve --json"),
            .init(
                "One that tests how a client copes",
                "smtp-serve --rule 'rcpt~^slow@ delay=5s' --rule 'mail#3 451 4.3.0 later'"),
            .init(
                "Mail for one domain, filtered, with TLS",
                "smtp-serve --listen 192.0.2.1:25 --domain example.org --users users --mail /srv/mail \\\n"
                    + "    --filter 'spamscore --filter' --cert chain.pem --key key.pem --user mail"),
            .init(
                "Submission for the local network, and the queue",
                "smtp-serve --listen 192.0.2.1:587 --domain example.org --relay-for auth --auth-file accounts \\\n"
                    + "    --queue queue --cert chain.pem --key key.pem & smtp-send --queue queue --watch"),
        ],
        exitCodes: [
            (.ok, "stopped as asked"), (.usage, "wrong usage"), (.osError, "the address cannot be had"),
            (.cannotCreate, "a directory cannot be made or used"), (.noPermission, "no permission"),
            (.configuration, "a file that it was given cannot be used"),
        ],
        seeAlso: ["smtp-send(1)", "pop3d(1)", "spamscore(1)"])

    private static let manual: [ToolDescription.Section] = [
        .init(
            "Listening",
            """
            An address of --listen may be followed by ,tls (TLS begins at once) and ,proxy (each connection begins with a \
            PROXY header, version 1 or 2, which says who the client is). Sockets that a service manager hands over \
            (LISTEN_FDS) take the places of the addresses, in their order.
            """),
        .init(
            "Users file",
            """
            One local address or local-part a line, optionally followed by how its mail is delivered: a Maildir with a \
            slash at its end, an mbox, or a program after a bar. filter=FILTER before it, repeatable, names filters for \
            this user alone. # begins a comment. @domain and * stand for everybody else. With --users any other \
            recipient is refused with 550 5.1.1, but postmaster is always there. What follows a + in a local-part is \
            ignored when the whole is not known.

                anna
                bob@example.net   /srv/mail/bob/
                carol             /var/mail/carol
                dave              |procmail -d dave
                erin              filter='spamscore --filter' mail/erin/
            """),
        .init(
            "Aliases file",
            """
            name: target, target - continued on lines that begin with white space, as sendmail has it. A target is an \
            address or a user, /a/file (an mbox), /a/directory/ (a Maildir), "|a program", or :include:/a/file with more \
            targets; \\name is the user and no further alias. @domain and * catch what nothing else does. Mail to \
            another domain goes through the queue; when there is owner-name, its bounces go there.

                staff:       anna, bob, carol@example.org
                owner-staff: anna
                archive:     /srv/mail/archive
                list:        :include:/etc/mail/list
                @example.net: anna
            """),
        .init(
            "Programs",
            """
            A program of --pipe, of a user or of an alias is a shell command that gets the message on its standard input, \
            with SENDER, RECIPIENT, USER, EXTENSION, DOMAIN, CLIENT and MESSAGE_ID in its environment. It ends with 0 when \
            it has the message; the codes 64 to 78 of sysexits(3) but 71, 74 and 75 refuse it for good, any other is 451. \
            Refused for one recipient of several, the message is taken for the others, and its sender gets a \
            notification (RFC 3464) about this one. A message that comes back to an address whose Delivered-To field it \
            has goes in circles, and is refused the same way.
            """),
        .init(
            "Filters",
            """
            A filter program is a shell command that gets the message on its standard input, with SENDER, RECIPIENTS, \
            CLIENT, HELO and MESSAGE_ID in its environment. When it ends with 0, what it printed takes the message's \
            place (nothing: the message stays as it is). When it ends with 1, the message is refused with 550. \
            spamd:HOST:PORT asks spamd(1) or spamscore to process the message; clamd:HOST:PORT asks clamd(8), and \
            what it finds is refused with 554, or goes to the Maildir of --quarantine; milter:HOST:PORT asks a milter \
            (protocol version 6) at every step, from the connection on. An address may also be unix:/path. Any other end, or none in time, is 451, so that \
            the sender tries again; with --filter-open the message is delivered as it came.
            """),
        .init(
            "Relaying",
            """
            Mail for other domains is refused with 550 5.7.1, unless --relay-for names the client's network, or auth and \
            the client has logged in, or cert and its certificate is verified. It is written to the queue, synced, before \
            it is answered. smtp-send(1) runs the queue; ETRN, from clients that may relay, lets the mail of one domain be \
            tried at once (RFC 1985: @example.org means the domains below it too).
            """),
        .init(
            "Accounts",
            """
            --auth-file names one account a line, user:{SCHEME}secret, as pop3d(1) and Dovecot read it, and AUTH is \
            offered: SCRAM-SHA-256, SCRAM-SHA-1 (over TLS also with channel binding) and CRAM-MD5 as far as the secrets \
            allow it, PLAIN, LOGIN and OAUTHBEARER. Beyond loopback, and with --require-tls everywhere, it is offered \
            over TLS only. Wrong passwords are answered late; after three the connection is closed.
            """),
        .init(
            "Checks",
            """
            --greylist, --dnsbl, --max-rate and --greeting-delay are not for clients that have logged in or may relay. A \
            client's score is the sum of the weights of the lists that name it (1 without one), 0.4 for an address \
            without a name that leads back to it, and 0.2 for a greeting with a name that is not its own; from \
            --refuse-score on its recipients are refused with 554 5.7.1, except postmaster.

            --spf, --dkim, --dmarc and --arc add an Authentication-Results field, and take away those that came in this \
            server's name. With ,reject they enforce: --spf,reject refuses a sender whose policy says fail (550 5.7.23), \
            --dkim,reject a message none of whose signatures is valid (5.7.20), --dmarc,reject one that its domain's \
            policy wants rejected (5.7.26), --arc,reject a broken chain (5.7.29); what cannot be known now is 451.
            """),
        .init(
            "Rules",
            """
            COMMAND[~REGEX][#COUNT] ACTION. COMMAND is connect, ehlo, mail, rcpt, data, message (the end of the data), \
            quit, auth, starttls or any. REGEX, a Perl regular expression, must be found in the client's address, in the \
            address of mail or rcpt, in the message, or in what follows the command. #3 means the third time that this \
            fits, #3+ from the third on, %10 one in ten by chance, the same with the same --seed; the counts run over all \
            connections. ACTION is a reply such as 451 4.3.0 later, drop (the connection), truncate=N (the reply, and \
            end), or stall; delay=5s alone or before one of these waits first. Rules are tried in their order; the first \
            that fits answers. A reply that lets a command through, as 250 2.1.0 welcome for mail, changes only the words \
            of its answer; 421 ends the session. A message that a rule answers is not stored.
            """),
        .init(
            "Events",
            """
            With --json, one object a line on standard output (with --stdout and --stdio on standard error), each with \
            event, time and, but for the first and last, client: listening (address, tls), connect, disconnect (reason), \
            early-talker, tls (version, cipher), auth (mechanism, user, success, reason), mail (address, size, \
            parameters, code), rcpt (address, code, text), reputation (name, score, reasons), \
            authentication (id, spf, dkim, arc, dmarc), filter (id, filter, \
            outcome; of a milter before the message: step, filter, outcome), delivery (id, recipient, target, outcome), message (id, from, to, size, code, enhanced, text, ms), rule \
            (command, action), reload.
            """),
    ]
}
