import CommandLineTool
import ServerTool

extension Pop3d {
    static let description = ToolDescription(
        name: "pop3d",
        summary: "let people fetch mail from Maildirs over POP3",
        synopsis: ["[options]"],
        details: """
            Serves POP3 with USER and PASS, APOP, STLS, TOP and UIDL. Without options it listens on 127.0.0.1:1110, serves \
            the Maildirs ./mail/<user>/ that smtp-serve fills, and takes any password.

            The maildrop is fixed at the login; sizes are exact, those of the octets that are sent. Unique ids come from \
            the names of the files and stay the same over flags and restarts. Messages are removed at QUIT only, and \
            synced before the answer; a connection that breaks removes nothing. One session has a mailbox at a time.

            Beyond loopback passwords are taken over TLS only, unless --allow-plaintext says otherwise. Wrong passwords are \
            answered late, later each time; after three the connection is closed.
            """,
        options: [
            AnyOption(server.listen), AnyOption(hostname), AnyOption(server.maximumConnections),
            AnyOption(server.timeout), AnyOption(server.user), AnyOption(maildir), AnyOption(passwords),
            AnyOption(anyPassword), AnyOption(server.certificate), AnyOption(server.key),
            AnyOption(server.clientAuthorities),
            AnyOption(server.requireTLS), AnyOption(allowPlaintext), AnyOption(server.json),
            AnyOption(server.verbose), AnyOption(server.quiet),
        ],
        operands: .nothing,
        sections: [
            .init(
                "Password file",
                """
                One account a line, user:{SCHEME}secret, further fields as in passwd(5); # begins a comment line. Schemes \
                are PLAIN (which APOP needs) and those of crypt(3): CRYPT, SHA512-CRYPT, BLF-CRYPT, YESCRYPT.

                    anna:{PLAIN}correct horse
                    bob:{SHA512-CRYPT}$6$salt$hash...
                """),
            .init(
                "Events",
                """
                With --json, one object a line, each with event and time: listening (address, tls), connect, login (client, \
                user, mechanism, tls, messages, octets), login-failed (client, user, mechanism), quit (client, user, \
                retrieved, octetsSent, deleted), disconnect (client, user, reason).
                """),
        ],
        examples: [
            .init("Serve what smtp-serve delivers, and fetch it", "pop3d & curl -u bob:x pop3://127.0.0.1:1110/1"),
            .init(
                "Accounts and TLS",
                "pop3d --listen 192.0.2.1:110 --listen 192.0.2.1:995,tls --cert chain.pem --key key.pem \\\n"
                    + "    --passwd users --maildir /srv/mail/%u --user mail"),
        ],
        exitCodes: [
            (.ok, "stopped as asked"), (.usage, "wrong usage"), (.osError, "the address cannot be had"),
            (.noPermission, "no permission"), (.configuration, "a file that it was given cannot be used"),
        ],
        seeAlso: ["smtp-serve(1)", "mboxconv(1)"])
}
