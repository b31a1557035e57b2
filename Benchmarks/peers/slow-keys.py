"""A DNS server on loopback that answers every question for a TXT record with one text, after a delay.

slow-keys.py PORT MILLISECONDS TEXT"""
import socket, struct, sys, threading, time

port, delay, text = int(sys.argv[1]), int(sys.argv[2]) / 1000, sys.argv[3].encode()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", port))


def answer(query, client):
    time.sleep(delay)
    end = 12
    while query[end]:
        end += query[end] + 1
    question = query[12:end + 5]
    if question[-4:-2] != b"\0\x10":
        server.sendto(query[:2] + b"\x85\x83\0\1\0\0\0\0\0\0" + question, client)
        return
    data = b"".join(bytes([len(part)]) + part for part in (text[i:i + 255] for i in range(0, len(text), 255)))
    record = b"\xc0\x0c\0\x10\0\1\0\0\1\x2c" + struct.pack(">H", len(data)) + data
    server.sendto(query[:2] + b"\x85\x80\0\1\0\1\0\0\0\0" + question + record, client)


while True:
    query, client = server.recvfrom(4096)
    threading.Thread(target=answer, args=(query, client), daemon=True).start()
