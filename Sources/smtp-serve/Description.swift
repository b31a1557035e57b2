import CommandLineTool
import ServerTool

extension SmtpServe {
    static let description = ToolDescription(
        name: "smtp-serve",
        summary: "receive mail over SMTP and deliver it to Maildirs",
        synopsis: ["[options]"],
        details: """
            Listens for SMTP and delivers each message to the Maildir of each recipient. Without options it listens on \
            127.0.0.1:2525 and delivers to ./mail/<local-part>/.

            A message is answered with 250 when it is on the disk, synced, in every Maildir: it survives kill -9 and a \
            power loss. Many sessions share the flushes. Before that nothing of it is visible, and when it cannot be \
            stored the answer is 451 or 452 and nothing of it remains.

            Only CRLF . CRLF ends a message; a lone LF in it is a line end, a message with a lone CR is refused. \
            Messages are stored with LF line ends.

            SIGTERM and SIGINT stop it: transactions that have begun to send data are finished, the others get 421. \
            SIGHUP reads the users file and the certificate again.
            """,
        options: [
            AnyOption(server.listen), AnyOption(hostname), AnyOption(server.maximumConnections),
            AnyOption(server.timeout), AnyOption(server.user), AnyOption(mail), AnyOption(domain), AnyOption(users),
            AnyOption(sink), AnyOption(maximumSize), AnyOption(maximumRecipients), AnyOption(filter),
            AnyOption(filterTimeout), AnyOption(filterOpen), AnyOption(server.certificate), AnyOption(server.key),
            AnyOption(server.requireTLS), AnyOption(server.json), AnyOption(server.verbose), AnyOption(server.quiet),
        ],
        operands: .nothing,
        sections: [
            .init(
                "Users file",
                """
                One local address or local-part a line, optionally followed by the Maildir that its mail goes to, with a \
                slash at the end; # begins a comment. With --users any other recipient is refused with 550 5.1.1.

                    anna
                    bob@example.net   /srv/mail/bob/
                """),
            .init(
                "Filters",
                """
                A filter is a shell command that gets the message on its standard input, with SENDER, RECIPIENTS and \
                CLIENT in its environment. When it ends with 0, what it printed takes the message's place (nothing: \
                the message stays as it is). When it ends with 1, the message is refused with 550. Any other end, or \
                none in time, is 451, so that the sender tries again; with --filter-open the message is delivered \
                as it came.
                """),
            .init(
                "Events",
                """
                With --json, one object a line, each with event and time: listening (address, tls), connect and \
                disconnect (client), mail and rcpt (address, code), message (id, from, to, size, code, text, ms), tls \
                (version, cipher), filter (command, outcome), reload.
                """),
        ],
        examples: [
            .init("A server for tests, with its events", "smtp-serve --json"),
            .init(
                "Mail for one domain, filtered, with TLS",
                "smtp-serve --listen 192.0.2.1:25 --domain example.org --users users --mail /srv/mail \\\n"
                    + "    --filter 'spamscore --filter' --cert chain.pem --key key.pem --user mail"),
        ],
        exitCodes: [
            (.ok, "stopped as asked"), (.usage, "wrong usage"), (.osError, "the address cannot be had"),
            (.noPermission, "no permission"), (.configuration, "a file that it was given cannot be used"),
        ],
        seeAlso: ["smtp-send(1)", "pop3d(1)", "spamscore(1)"])
}
