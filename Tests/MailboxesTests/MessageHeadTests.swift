import Bytes
import Mailboxes
import Testing

@Suite struct MessageHeadTests {
    private func head(_ text: String) throws -> MessageHead {
        try #require(MessageHead(start: Array(text.utf8), isComplete: true))
    }

    @Test("Status and X-Status become flags and leave the message")
    func flags() throws {
        let head = try head("Subject: x\nStatus: RO\nX-Status: AFTDP\nTo: y\n\nbody\n")
        #expect(head.flags.maildirLetters.text == "DFPRST")
        #expect(head.stored(removingStatus: true).bytes.text == "Subject: x\nTo: y\n\n")
        let back = head.stored(removingStatus: true, adding: head.flags)
        #expect(back.bytes.text == "Subject: x\nTo: y\nStatus: RO\nX-Status: AFDTP\n\n")
        #expect(back.fieldsEnd == back.bytes.count - 1)
    }

    @Test(
        "what holds no known letters is part of the message",
        arguments: [
            "X-Status: ", "Status: ?", "X-Status: AZ",
            "Status: R\n O", "Content-Length: x", "Status",
        ])
    func kept(_ field: String) throws {
        let text = "A: b\n\(field)\nC: d\n\n"
        #expect(try head(text).stored(removingStatus: true).bytes.text == text)
    }

    @Test("Content-Length is of the store")
    func length() throws {
        let text = "A: b\ncontent-length : 17 \r\nC: d\n\n"
        #expect(try head(text).stored(removingStatus: false).bytes.text == "A: b\nC: d\n\n")
    }

    @Test(
        "fields added to any header are found and leave it as it was",
        arguments: [
            "A: b\n\nbody", "A: b\n", "A: b", "", "\nbody", "no header at all", "From x\nA: b\n", " x\ny\n", " x\n\ny",
            "A: b\r\n\r\nbody",
        ])
    func addedAndRemoved(_ text: String) throws {
        var flags = MessageFlags(maildirLetters: "FSab".utf8)
        flags.isOld = true
        let old = try head(text)
        let stored = old.stored(removingStatus: true, adding: flags, lineEnd: old.lineEnd)
        let new = try #require(MessageHead(start: stored.bytes, isComplete: true))
        #expect(new.flags == flags)
        #expect(new.stored(removingStatus: true).bytes == old.bytes)
    }

    @Test("the letters of a Maildir name come back in order", arguments: ["", "S", "DFPRST", "FSabz", "RSx"])
    func letters(_ letters: String) {
        #expect(MessageFlags(maildirLetters: letters.utf8).maildirLetters.text == String(letters.sorted()))
    }

    @Test("X-Mozilla-Status tells flags when Status does not")
    func mozilla() throws {
        #expect(try head("X-Mozilla-Status: 1007\n\n").flags.maildirLetters.text == "FPRS")
        #expect(try head("X-Mozilla-Status: 0001\nStatus: O\n\n").flags.maildirLetters.text == "")
        let keys = "X-Mozilla-Keys: $label1 work                    \n"
        #expect(try head("\(keys)\n").keywords.map(\.text) == ["$label1", "work"])
        #expect(try head("\(keys)X-Keywords: home\n\n").keywords.map(\.text) == ["home"])
        #expect(try head("X-Mozilla-Keys:                      \n\n").keywords.isEmpty)
    }

    @Test(
        "the sender is that of Return-Path, else of From",
        arguments: [
            ("Return-Path: <r@x>\nFrom: a@b\n\n", "r@x"), ("Return-Path: <>\nFrom: A <a@b>\n\n", nil),
            ("Return-Path: x\nFrom: A <a@b>\n\n", "a@b"),
            ("From: a@b (A <x@y>)\n\n", "a@b"), ("From: \"A <x@y>\" <a@b>\n\n", "a@b"),
            ("From: A\n\t<a@b>\n\n", "a@b"), ("From: nobody\n\n", nil), ("\n", nil),
        ] as [(String, String?)])
    func sender(_ text: String, _ sender: String?) throws { #expect(try head(text).sender?.text == sender) }

    @Test(
        "the date is that of the topmost Received, else of Date",
        arguments: [
            ("Received: from x; by\n y; Sat, 21 Aug 2004 12:27:43 +0200 (CEST)\nDate: x\n\n", 1_093_084_063),
            ("Received: x\nDate: Sat, 21 Aug 2004 12:27:43 +0200\n\n", 1_093_084_063), ("Date: x\n\n", nil),
        ] as [(String, Int?)])
    func date(_ text: String, _ date: Int?) throws { #expect(try head(text).date == date) }
}
