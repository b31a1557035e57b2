import Bytes
import Mailboxes

extension FuzzTarget {
    static let mailboxes = [
        FuzzTarget("mbox") { bytes in
            for format in MboxFormat.allCases {
                var scanner = MboxScanner(format: format)
                var content = 0
                var steps = 0
                while let event = try? scanner.next(in: bytes.span, isFinal: true) {
                    steps += 1
                    require(steps <= 8 * bytes.count + 64, "a scanner comes to its end")
                    switch event {
                    case .content(let range): content += range.count
                    case .look: scanner.answer(nil)
                    default: break
                    }
                }
                require(content <= bytes.count, "no byte of a mailbox is handed out twice")
            }
        },
        FuzzTarget("from-line") { bytes in _ = FromLine(bytes.span, 0..<bytes.count) },
        FuzzTarget("mbox-quoting") { bytes in
            var quoting = LineQuoting(.fromAndQuoted)
            var mailbox = FromLine.compose(sender: Array("a@b".utf8), date: 0)
            quoting.write(bytes.span, into: &mailbox)
            quoting.finish(into: &mailbox)
            if mailbox.last != 10 { mailbox.append(10) }
            mailbox.append(10)
            var scanner = MboxScanner(format: .mboxrd)
            var messages = 0
            while let event = try? scanner.next(in: mailbox.span, isFinal: true) {
                if case .begin = event { messages += 1 }
                if case .look = event { scanner.answer(nil) }
            }
            require(messages == 1, "a quoted message stays one message")
        },
        FuzzTarget("maildir-name") { bytes in
            let name = MaildirName(bytes)
            _ = name.size("S")
            _ = name.sortKey
        },
        FuzzTarget("message-head") { bytes in _ = MessageHead(start: bytes, isComplete: true) },
    ]
}
