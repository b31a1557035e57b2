import Bytes
import CommandLineTool
import SMTP

/// The options that ask for notifications (RFC 3461) and for encryption all the way (RFC 8689).
enum StatusOptions {
    static func read(_ arguments: Arguments) throws(ToolFailure) -> StatusRequest {
        var request = StatusRequest()
        request.isRequired = arguments[SendOptions.dsn] == "require"
        request.parameters.requiresTLS = arguments[SendOptions.requireTLS]
        if let word = arguments[SendOptions.notify] {
            guard let notify = RecipientParameters.Notify(word) else {
                throw ToolFailure(
                    .usage, "--notify \(word): is not 'never' or a list of success, failure and delay with commas")
            }
            request.recipientParameters.notify = notify
        }
        switch arguments[SendOptions.ret] {
        case "full": request.parameters.returned = .full
        case "hdrs": request.parameters.returned = .headers
        default: break
        }
        if let id = arguments[SendOptions.envid] {
            let encoded = Xtext.encode(id)
            // RFC 3461 4.4: at most 100 characters, and printable ones before they are encoded.
            guard !id.isEmpty, encoded.utf8.count <= 100, id.utf8.allSatisfy({ $0 >= ASCII.space && $0 < ASCII.delete })
            else { throw ToolFailure(.usage, "--envid \(id): must be 1 to 100 printable ASCII characters") }
            request.parameters.envelopeID = encoded
        }
        return request
    }
}
