import Bytes

/// What templates of reports ask of a message itself: its fields and the relays that it came through.
package final class TemplateTags {
    private let facts: MessageFacts

    package init(_ message: Span<UInt8>, _ plan: RulePlan) { facts = MessageFacts(message, plan, ExpressionCache()) }

    /// The value of a tag by its name, as `LASTEXTERNALIP`: empty when the message has nothing of it, nil for names that
    /// are no tags of this kind. `HEADER` has the name of a field, with forms as in header rules, as its argument.
    package func value(_ tag: String, _ argument: String?) -> String? {
        switch tag {
        case "HEADER": argument.map(field) ?? ""
        case "RELAYSTRUSTED": facts.relays.text(.trusted)
        case "RELAYSUNTRUSTED": facts.relays.text(.untrusted)
        case "RELAYSINTERNAL": facts.relays.text(.internal)
        case "RELAYSEXTERNAL": facts.relays.text(.external)
        case _ where TagValues.plain.contains(tag):
            TagValues.values(of: tag, facts, signers: []).joined(separator: " ")
        default: nil
        }
    }

    private func field(_ subject: String) -> String {
        (facts.value(of: HeaderSubject(subject)) ?? []).split(separator: ASCII.lf).map(\.text).joined(separator: " ")
    }
}
