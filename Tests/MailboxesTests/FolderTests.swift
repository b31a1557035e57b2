import Bytes
import Mailboxes
import TestSupport
import Testing

@Suite struct FolderNameTests {
    @Test(
        "names in modified UTF-7 (RFC 3501 5.1.3)",
        arguments: [
            ("Sent", "Sent"), ("Entwürfe", "Entw&APw-rfe"), ("a&b", "a&-b"), ("台北", "&U,BTFw-"),
            ("~peter/台北/日本語", "~peter/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"), ("", ""),
        ])
    func modified(_ name: String, _ encoded: String) {
        #expect(FolderName.encode(name) == encoded)
        #expect(FolderName.decode(encoded) == name)
    }

    @Test("what is not well formed is no modified UTF-7", arguments: ["&", "&A", "&A-", "&AGE-", "a&!!!-"])
    func malformed(_ text: String) { #expect(FolderName.decode(text) == nil) }

    @Test("every folder comes back from its Maildir++ name")
    func maildirPlusPlus() {
        var generator = TestSupport.SeededGenerator(seed: 7)
        let letters = Array("ab./&\\ ü台😀-2ef".map(String.init))
        for _ in 0..<500 {
            let folder = (0...Int(generator.next() % 3)).map { _ in
                (0...Int(generator.next() % 5)).map { _ in letters[Int(generator.next() % UInt64(letters.count))] }
                    .joined()
            }
            // A backslash is the layout's own.
            if folder.contains(where: { $0.contains("\\") }) { continue }
            let name = FolderName.maildirPlusPlus(folder)
            #expect(FolderName.parts(ofMaildirPlusPlus: name) == folder, "\(name)")
            #expect(!name.dropFirst().contains("/"))
        }
        #expect(FolderName.parts(ofMaildirPlusPlus: ".a..b") == nil)
        #expect(FolderName.parts(ofMaildirPlusPlus: "a") == nil)
        #expect(FolderName.fileName("..") == "_.." && FolderName.fileName("a/b") == "a_b")
    }
}

@Suite struct KeywordTests {
    @Test("letters mean what dovecot-keywords says, and new names get the next letter")
    func letters() {
        var letters = KeywordLetters(Array("0 $Forwarded\n2 Junk\nx y\n99 far\n3 bad name\n".utf8))
        #expect(letters.name(of: 0x61)?.text == "$Forwarded")
        #expect(
            letters.name(of: 0x62) == nil && letters.name(of: 0x63)?.text == "Junk" && letters.name(of: 0x41) == nil)
        #expect(letters.letter(for: Array("JUNK".utf8)) == 0x63)
        #expect(letters.letter(for: Array("work".utf8)) == 0x64)
        #expect(letters.bytes.text == "0 $Forwarded\n2 Junk\n3 work\n")
        for index in 0..<30 { _ = letters.letter(for: Array("k\(index)".utf8)) }
        #expect(letters.letter(for: Array("one more".utf8)) == nil)
    }

    @Test("X-Keywords, X-UID and X-IMAPbase belong to the store; a value that is none is the message's own")
    func fields() {
        let text = "X-IMAPbase: 1 2 Junk work\nX-UID: 7\nX-Keywords: work $Label1  \nA: b\n\n"
        let head = wholeHead(Array(text.utf8))
        #expect(head.keywords.map(\.text) == ["work", "$Label1"])
        #expect(head.mailboxKeywords.map(\.text) == ["Junk", "work"])
        #expect(head.stored(removingStatus: true).bytes.text == "A: b\n\n")
        for other in ["X-Keywords: a (b)\n\n", "X-Keywords:   \n\n", "X-UID: x\n\n", "X-IMAP: a b\n\n"] {
            #expect(wholeHead(Array(other.utf8)).stored(removingStatus: true).bytes.text == other)
        }
        let dovecot = "A: b\nX-UID: 7\nStatus: \nX-Keywords:     \n\n"
        #expect(wholeHead(Array(dovecot.utf8)).stored(removingStatus: true).bytes.text == "A: b\n\n")
        var flags = MessageFlags()
        flags.isSeen = true
        let stored = wholeHead(Array("A: b\n\n".utf8)).stored(
            removingStatus: true, adding: flags, keywords: [Array("x".utf8), Array("y".utf8)])
        #expect(stored.bytes.text == "A: b\nStatus: RO\nX-Keywords: x y\n\n")
    }
}

@Suite struct BatchScannerTests {
    private struct Message: Equatable {
        var bytes: [UInt8] = []
        var envelope = BatchScanner.Envelope()
        var isChunked = false
    }

    private func scan(_ text: String, step: Int) -> (messages: [Message], isCutOff: Bool) {
        let all = Array(text.utf8)
        var scanner = BatchScanner()
        var messages: [Message] = []
        var buffer: [UInt8] = []
        var given = 0
        var isFinal = false
        while true {
            let end = min(given + step, all.count)
            buffer += all[given..<end]
            given = end
            while let event = scanner.next(in: buffer.span, isFinal: isFinal) {
                switch event {
                case .begin: messages.append(Message(envelope: scanner.envelope, isChunked: scanner.isChunked))
                case .content(let range): messages[messages.count - 1].bytes += buffer[range]
                case .end: break
                }
            }
            buffer.removeFirst(scanner.consumed)
            scanner.dropConsumed()
            if isFinal { return (messages, scanner.isCutOff) }
            isFinal = given == all.count
        }
    }

    private static let session = """
        EHLO x\r
        NOOP arrived=2004-08-21T10:27:43Z flags=FS\r
        MAIL FROM:<a@example.org> SIZE=10\r
        RCPT TO:<"b > c"@example.org>\r
        RCPT TO:<d@example.org> NOTIFY=NEVER\r
        DATA\r
        A: b\r
        \r
        ..x\r
        DATA\r
        .\r
        mail from:<>\r
        RCPT TO:<e@example.org>\r
        BDAT 5\r
        x\r
        .\rBDAT 3 LAST\r
        y\r
        QUIT\r

        """

    @Test(
        "DATA and BDAT give the same messages in pieces of any size (RFC 2442, RFC 3030)",
        arguments: [1, 2, 3, 7, 1_000])
    func pieces(_ step: Int) {
        let (messages, isCutOff) = scan(Self.session, step: step)
        #expect(messages.map { $0.bytes.text } == ["A: b\r\n\r\n.x\r\nDATA\r\n", "x\r\n.\ry\r\n"])
        #expect(messages.map(\.isChunked) == [false, true] && !isCutOff)
        #expect(messages[0].envelope.reversePath?.text == "a@example.org")
        #expect(messages[0].envelope.recipients.map(\.text) == ["\"b > c\"@example.org", "d@example.org"])
        #expect(messages[0].envelope.notes == ["arrived": "2004-08-21T10:27:43Z", "flags": "FS"])
        #expect(messages[1].envelope.reversePath == [] && messages[1].envelope.notes.isEmpty)
    }

    @Test("a batch that is cut off anywhere ends with what was there")
    func truncated() {
        let all = Array(Self.session.utf8)
        for end in 0..<all.count {
            let (messages, _) = scan(all[..<end].text, step: 64)
            #expect(messages.count <= 2)
        }
        #expect(scan("EHLO x\nDATA\nA: b\n", step: 100).isCutOff)
        #expect(scan("EHLO x\nBDAT 9223372036854775807 LAST\nA: b\n", step: 100).isCutOff)
        #expect(scan("EHLO x\nBDAT 99999999999999999999 LAST\nA: b\n", step: 100).messages.isEmpty)
    }

    @Test("mutated batches do no harm")
    func mutated() {
        var generator = TestSupport.SeededGenerator(seed: 11)
        for _ in 0..<300 { _ = scan(generator.mutated(Array(Self.session.utf8)).text, step: 50) }
    }
}
