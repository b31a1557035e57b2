import SMTP

/// Who a queued message is from and for, when it came, and what is to be told about it.
@dynamicMemberLookup
package struct QueuedEnvelope: Equatable, Sendable {
    package typealias Recipient = OutgoingEnvelope.Recipient

    package var envelope: OutgoingEnvelope
    /// When responsibility was taken, in seconds since 1970.
    package var arrival: Int
    /// A server that does not offer DSN (RFC 3461) is not given the message.
    package var requiresStatus = false

    package init(
        reversePath: String, parameters: MailParameters = MailParameters(), recipients: [Recipient], arrival: Int
    ) {
        envelope = OutgoingEnvelope(reversePath: reversePath, parameters: parameters, recipients: recipients)
        self.arrival = arrival
    }

    package subscript<Value>(dynamicMember member: WritableKeyPath<OutgoingEnvelope, Value>) -> Value {
        get { envelope[keyPath: member] }
        _modify { yield &envelope[keyPath: member] }
    }
}
