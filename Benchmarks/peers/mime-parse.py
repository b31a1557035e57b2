"""Parses every message of an mbox with Python's email and decodes every part: a peer of mailparse's MIME parse."""
import email
import mailbox
import sys

parts = size = 0
for message in mailbox.mbox(sys.argv[1], factory=email.message_from_binary_file):
    message["subject"], message["date"], message["from"]
    for part in message.walk():
        if not part.is_multipart():
            parts += 1
            size += len(part.get_payload(decode=True) or b"")
print(parts, size)
