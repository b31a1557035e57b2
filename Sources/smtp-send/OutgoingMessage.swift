import Bytes
import Delivery
import SMTP

extension MessageContent {
    /// The header has octets beyond ASCII, and they are UTF-8.
    fileprivate var hasInternationalHeader: Bool {
        let header = header()
        return !UTF8Text.isASCII(header.span) && UTF8Text.isValid(header.span)
    }

    /// What a server must be told of the message.
    var survey: ClientMessageSurvey {
        var survey = ClientMessageSurvey()
        forEachPart { survey.add($0) }
        return survey
    }
}

/// A message on its way: its bytes, its envelope, and the name that results speak of.
struct OutgoingMessage: Sendable {
    /// The file's name as it was given; `-` for standard input.
    let name: String
    let content: MessageContent
    /// Without angle brackets; empty for the null reverse-path.
    let reversePath: String
    let recipients: [EnvelopeAddress]
    /// What is asked of the server beside (RFC 3461).
    private(set) var request: StatusRequest
    let survey: ClientMessageSurvey
    /// The header has UTF-8 (RFC 6532).
    let hasInternationalHeader: Bool
    /// Who has signed it here.
    private(set) var signature: Signature?
    /// Why it is not encoded for a server that does not take it as it is.
    var obstacle: String?
    let forms = EncodedForms()

    /// What was signed, and by whom: a message that is changed on its way out is signed anew.
    struct Signature: Sendable {
        let content: MessageContent
        let signing: Signing
    }

    init(
        name: String, content: MessageContent, reversePath: String, recipients: [EnvelopeAddress],
        request: StatusRequest = StatusRequest()
    ) {
        self.name = name
        self.content = content
        self.reversePath = reversePath
        self.recipients = recipients
        self.request = request
        survey = content.survey
        hasInternationalHeader = survey.isEightBit && content.hasInternationalHeader
    }

    /// The same, declared as what it is: the header tells whether it needs SMTPUTF8.
    var declared: OutgoingMessage {
        guard hasInternationalHeader, !request.parameters.smtpUTF8 else { return self }
        var message = self
        message.request.parameters.smtpUTF8 = true
        return message
    }

    /// The same envelope for the signed form of the content.
    func signed(_ content: MessageContent, by signing: Signing) -> OutgoingMessage {
        var message = OutgoingMessage(
            name: name, content: content, reversePath: reversePath, recipients: recipients, request: request)
        message.signature = Signature(content: self.content, signing: signing)
        return message
    }

    /// The same envelope for the content in lines.
    func withEncoded(_ content: MessageContent) -> OutgoingMessage {
        var request = request
        request.parameters.body = nil
        return OutgoingMessage(
            name: name, content: content, reversePath: reversePath, recipients: recipients, request: request)
    }

    /// The transaction for some of the recipients.
    func transaction(_ recipients: [EnvelopeAddress]) -> ClientTransaction {
        ClientTransaction(
            OutgoingEnvelope(
                reversePath: reversePath, parameters: request.parameters,
                recipients: recipients.map { .init(path: $0.path, parameters: request.parameters(for: $0)) }),
            survey: survey, requiresStatus: request.isRequired, hasInternationalHeader: hasInternationalHeader,
            obstacle: obstacle)
    }
}

/// What is asked of servers beside taking the message: notifications (RFC 3461), encryption (RFC 8689).
struct StatusRequest: Sendable {
    var parameters = MailParameters()
    /// For every recipient that has none of its own.
    var recipientParameters = RecipientParameters()
    var recipientParametersByAddress: [EnvelopeAddress: RecipientParameters] = [:]
    /// A server that does not offer DSN is not given the message, whatever is asked for.
    var isRequired = false

    func parameters(for recipient: EnvelopeAddress) -> RecipientParameters {
        recipientParametersByAddress[recipient] ?? recipientParameters
    }
}
