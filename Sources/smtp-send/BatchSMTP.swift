import CommandLineTool
import Delivery
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
        let envelope = QueuedEnvelope(message)
        let parameters = envelope.parameters.text
        Output.standard.write("MAIL FROM:<\(envelope.reversePath)> SIZE=\(message.survey.size)\(parameters)\r\n")
        for recipient in envelope.recipients {
            Output.standard.write("RCPT TO:<\(recipient.path)>\(recipient.parameters.text)\r\n")
        }
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
