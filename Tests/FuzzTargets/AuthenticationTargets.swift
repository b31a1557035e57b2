import Accounts
import Bytes
import DNS
import Delivery
import FilterProtocols
import Mailboxes
import Network
import SASL
import SenderAuthentication
import TransportPolicy
import Unix

extension FuzzTarget {
    /// What proves who sends: records of the DNS, signatures, logins.
    static let authentication = [
        FuzzTarget("spf-record") { bytes in
            _ = try? SPFRecord(parsing: bytes)
            _ = SPFRecord.select([bytes])
        },
        FuzzTarget("dkim-key") { bytes in
            _ = try? DKIMKeyRecord(parsing: bytes)
            _ = try? TagList(bytes)
        },
        FuzzTarget("dmarc-record") { bytes in _ = DMARCRecord(parsing: bytes) },
        FuzzTarget("signed-message") { bytes in
            _ = try? SignedMessage(bytes.span)
            for range in AuthenticationResultsField.forged(bytes.span, server: "mx.example") {
                require(range.upperBound <= bytes.count, "a forged field lies within the message")
            }
        },
        FuzzTarget("spf-check") { bytes in
            // A record that leads to itself and to others, judged to the end.
            let text = bytes.filter { $0 > 0x1F && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            let strings = stride(from: 0, to: min(text.count, 4_000), by: 200).map { start in
                "\"" + String(decoding: text[start..<min(start + 200, text.count)], as: UTF8.self) + "\""
            }
            let record = "TXT \"v=spf1 \" \(strings.joined(separator: " "))"
            let lines = """
                example.org. \(record)
                *.example.org. \(record)
                example.org. MX 10 mx.example.org.
                mx.example.org. A 192.0.2.1
                """
            guard let zone = try? Zone(parsing: Array(lines.utf8), name: "zone"), let client = IPAddress("192.0.2.9")
            else { return }
            let request = SPFRequest(address: client, mailFrom: "a@example.org", helo: "h.example")
            let outcome = try? EventLoop.run { _ in
                await SPFEvaluator(Resolver(.zone(zone))).check(request, deadline: nil)
            }
            require((outcome?.lookups ?? 0) <= 11, "an evaluation ends after ten lookups")
        },
        FuzzTarget("mta-sts") { bytes in
            _ = try? MTASTSPolicy(parsing: bytes)
            _ = MTASTSPolicy.announcedID(bytes)
            var reader = HTTPResponseReader(limit: 1_024)
            do {
                for start in stride(from: 0, to: bytes.count, by: 7) {
                    try reader.receive(Array(bytes[start..<min(start + 7, bytes.count)]))
                }
                require(try reader.finish(isProper: true).body.count <= 1_024, "a body stays in its bounds")
            } catch {}
        },
        FuzzTarget("sasl") { bytes in
            guard let file = try? PasswordFile(Array("anna:{PLAIN}secret".utf8)) else { return }
            for mechanism in SASLMechanism.allCases {
                var exchange = SASLServerExchange(mechanism, SASLServerContext(secrets: file, hostName: "mx.example"))
                var step = exchange.begin(initialResponse: nil)
                for line in bytes.split(separator: 10, omittingEmptySubsequences: false).prefix(4) {
                    guard case .challenge = step else { break }
                    step = exchange.respond(Array(line))
                    if case .success(let user) = step { require(user.name == "anna", "only who is known logs in") }
                }
            }
        },
    ]

    /// What filters answer, and what people ask of messages.
    static let answers = [
        FuzzTarget("milter") { bytes in
            var session = MilterSession()
            _ = session.begin()
            session.open(
                MilterEdit(
                    own: [], start: Array("Subject: x\n\ny\n".utf8), sender: "<a@example.org>",
                    recipients: ["<b@example.net>"]))
            var place = 0
            for number in 0..<1_000 {
                guard
                    case .packet(let packet, let length) = MilterPacket.read(bytes.span.extracting(place..<bytes.count))
                else { return }
                require(length > 0, "a packet takes something")
                place += length
                _ = session.receive(packet)
                if number == 1 { _ = session.take(.endOfMessage) }
            }
        },
        FuzzTarget("milter-header") { bytes in
            let edit = MilterEdit(own: [], start: bytes, sender: "<>", recipients: [])
            require(edit.headerSize <= bytes.count, "a header lies within its message")
        },
        FuzzTarget("queue-file") { bytes in
            guard let (file, end) = try? QueueFile.next(in: bytes.span, from: 0, arrival: 0) else { return }
            require(end <= bytes.count, "a message lies within its file")
            require(file.content.upperBound <= end, "what lies within a message ends with it")
        },
        FuzzTarget("queue-log") { bytes in
            // Times that people live to see have one spelling.
            let years = 0..<32_503_680_000
            for (time, event) in QueueLog.events(bytes) where years.contains(time) {
                if case .deferred(_, let next, _) = event, !years.contains(next) { continue }
                // What is written has no control characters.
                let line = QueueLog.line(event, at: time)
                let again = QueueLog.events(Array(line.utf8))
                require(again.count == 1 && again[0].time == time, "an event is one line")
                require(QueueLog.line(again[0].event, at: time) == line, "an event reads as it was written")
            }
        },
        FuzzTarget("clamd") { bytes in _ = ClamdProtocol.answer(bytes) },
        FuzzTarget("selection") { bytes in
            guard UTF8Text.isValid(bytes.span), let selection = try? Selection(bytes.text) else { return }
            let message = Array("From: a@example.org\nSubject: invoice\n\nx\n".utf8)
            _ = selection.matches(message.span, size: message.count)
        },
    ]
}
