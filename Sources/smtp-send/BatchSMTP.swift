import CommandLineTool
import SMTP
import Unix

/// Writes messages with their envelopes as batch SMTP (RFC 2442): what a client would say, for standard output.
struct BatchSMTP {
    private let heloName: String
    private var hasBegun = false

    init(heloName: String?) {
        self.heloName = heloName ?? HeloName.standard(from: .unix(""))
    }

    mutating func write(_ message: OutgoingMessage) {
        if !hasBegun { Output.standard.write("EHLO \(heloName)\r\n") }
        hasBegun = true
        let body = message.survey.isEightBit ? " BODY=8BITMIME" : ""
        let utf8 = message.transaction(message.recipients).needsUTF8 ? " SMTPUTF8" : ""
        Output.standard.write("MAIL FROM:<\(message.reversePath)> SIZE=\(message.survey.size)\(body)\(utf8)\r\n")
        for recipient in message.recipients { Output.standard.write("RCPT TO:<\(recipient.path)>\r\n") }
        Output.standard.write("DATA\r\n")
        var encoder = ClientDataEncoder()
        var buffer: [UInt8] = []
        message.content.forEachPart { part in
            encoder.encode(part, into: &buffer)
            Output.standard.write(buffer)
            buffer.removeAll(keepingCapacity: true)
        }
        encoder.finish(into: &buffer)
        Output.standard.write(buffer)
    }

    func finish() {
        if hasBegun { Output.standard.write("QUIT\r\n") }
    }
}
