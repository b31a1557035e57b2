import CommandLineTool

extension SPFOutcome {
    /// Writes the members of the outcome's object; the trace only when it is wanted.
    package func write(_ json: inout JSONWriter, withTrace: Bool) {
        json.field("result", result.rawValue)
        json.field("domain", domain)
        json.field("identity", identity.rawValue)
        json.field("mechanism", mechanism)
        json.field("record", record)
        json.field("explanation", explanation)
        json.field("lookups", lookups)
        json.field("void", void)
        json.field("problem", problem)
        if withTrace { json.object("trace") { trace.write(&$0) } }
    }
}

extension SPFTrace {
    fileprivate func write(_ json: inout JSONWriter) {
        json.field("domain", domain)
        json.field("record", record)
        json.field("result", result.rawValue)
        json.array("terms") { json in
            for term in terms { json.object { term.write(&$0) } }
        }
    }
}

extension SPFTraceTerm {
    fileprivate func write(_ json: inout JSONWriter) {
        json.field("term", text)
        json.field("target", target)
        json.field("outcome", outcome.rawValue)
        json.field("lookups", lookups)
        json.field("void", void)
        json.field("note", note)
        if let nested = nested.first { json.object("policy") { nested.write(&$0) } }
    }
}
