import CommandLineTool
import ServerTool

extension Pop3d {
    static let description = ToolDescription(
        name: "pop3d",
        summary: "let people fetch mail from Maildirs and mboxes over POP3",
        synopsis: ["[options]"],
        details: """
            Serves POP3 (RFC 1939) with TOP, UIDL, APOP, AUTH, STLS, UTF8 and LANG. Without options it listens on \
            127.0.0.1:1110, serves the Maildirs ./mail/<user>/ that smtp-serve fills, and takes any password.

            The maildrop is fixed at the login; sizes are exact, those of the octets that are sent. Unique ids come from \
            the names of the files and stay the same over flags, moves and restarts. Messages are removed at QUIT only, \
            and synced before the answer; a connection that breaks removes nothing. One session has a mailbox at a time, \
            another is told [IN-USE]. Mail that another program moves, flags or removes meanwhile is found again, or \
            missing for that one message.

            Beyond loopback passwords are taken over TLS only, unless --allow-plaintext says otherwise; APOP, CRAM-MD5 and \
            SCRAM, which do not show the password, are offered where the accounts have what they need. Wrong passwords are \
            answered late, later each time, by address and by user; after three the connection is closed.
            """,
        options: [
            AnyOption(server.listen), AnyOption(standardStreams), AnyOption(hostname),
            AnyOption(server.maximumConnections), AnyOption(maximumPerUser), AnyOption(server.timeout),
            AnyOption(server.user), AnyOption(maildir), AnyOption(mbox), AnyOption(readOnly), AnyOption(expire),
            AnyOption(passwords), AnyOption(checkPassword), AnyOption(system), AnyOption(anyPassword),
            AnyOption(loginDelay), AnyOption(server.certificate), AnyOption(server.key),
            AnyOption(server.clientAuthorities), AnyOption(server.requireTLS),
            AnyOption(allowPlaintext), AnyOption(trustLoopback), AnyOption(distrustLoopback), AnyOption(server.json),
            AnyOption(server.verbose), AnyOption(server.quiet),
        ],
        operands: .nothing,
        sections: [
            .init(
                "Accounts",
                """
                A password file has one account a line, user:{SCHEME}secret:uid:gid:gecos:home:shell, as Dovecot's; # begins \
                a comment line, and all after the secret may be left out. Schemes are PLAIN (which APOP and CRAM-MD5 need, \
                and SCRAM can use), those of crypt(3) (CRYPT, MD5-CRYPT, SHA256-CRYPT, SHA512-CRYPT, BLF-CRYPT, YESCRYPT), \
                digests (SHA256, SSHA256, SHA512, SSHA512, SSHA, SMD5, PLAIN-MD5 and so on), PBKDF2, SCRAM-SHA-1 and \
                SCRAM-SHA-256. A bearer token (OAUTHBEARER) is compared as a password is.

                    anna:{PLAIN}correct horse:1000:1000::/home/anna::
                    bob:{SHA512-CRYPT}$6$salt$hash...

                --checkpassword runs a program, which may have arguments, with the checkpassword interface for each login. \
                --system asks passwd(5) and shadow(5), for users from uid 1000 on. A password file answers first for the \
                users that it names. Files are read again at SIGHUP.

                Run as root, the server touches the mail of each account with the uid and gid of the account and no other \
                rights; --user makes it one user for all.
                """),
            .init(
                "Mailboxes",
                """
                In --maildir and --mbox, %u is the user, %n and %d are what stands before and behind the @, %h is the home \
                directory. Names that hold a slash or begin with a dot are refused. A mailbox that is not there is empty.

                What is no regular file in a Maildir is skipped and never followed. Sizes in names (,S= and ,W=) are \
                believed when ,S= is right; all sizes are kept in the file pop3d.index of the Maildir, which is a cache and \
                may be removed at any time.

                An mbox is read under the locks of other mail programs, and written anew beside itself at QUIT, with what \
                has arrived meanwhile. Messages are sent as they stand there.

                --expire DAYS removes older messages at the login, by the time in the name or that of the file; with 0, \
                what was fetched is removed at QUIT.
                """),
            .init(
                "Listening",
                """
                An address of --listen may be followed by ,tls (TLS begins at once) and ,proxy (each connection begins with a \
                PROXY header, version 1 or 2). Sockets that a service manager hands over (LISTEN_FDS) take the place of the \
                addresses. SIGTERM ends the sessions, and nothing is deleted by that.
                """),
            .init(
                "Events",
                """
                With --json, one object a line (with --stdio on standard error), each with event and time: listening \
                (address, tls), connect (client), login (client, user, mechanism, tls, messages, octets), login-failed \
                (client, user, mechanism, reason), skipped (client, user, name, reason), expired (client, user, messages), \
                quit (client, user, retrieved, octetsSent, deleted), disconnect (client, user, reason), reload.
                """),
        ],
        examples: [
            .init("Serve what smtp-serve delivers, and fetch it", "pop3d & curl -u bob:x pop3://127.0.0.1:1110/1"),
            .init(
                "Accounts and TLS",
                "pop3d --listen 192.0.2.1:110 --listen 192.0.2.1:995,tls --cert chain.pem --key key.pem \\\n"
                    + "    --passwd users --maildir /srv/mail/%u --user mail"),
            .init(
                "The users of this system, from inetd",
                "pop3 stream tcp nowait root /usr/local/bin/pop3d pop3d --stdio --system --mbox /var/mail/%u"),
        ],
        exitCodes: [
            (.ok, "stopped as asked"), (.usage, "wrong usage"), (.osError, "the address cannot be had"),
            (.cannotCreate, "a socket cannot be made"), (.noPermission, "no permission"),
            (.configuration, "a file that it was given cannot be used"),
        ],
        seeAlso: ["smtp-serve(1)", "mboxconv(1)"])
}
