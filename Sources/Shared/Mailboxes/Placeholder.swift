// Mailboxes
