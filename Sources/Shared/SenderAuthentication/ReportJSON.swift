import CommandLineTool

extension DKIMResult {
    /// Writes the members of the result's object.
    package func write(_ json: inout JSONWriter) {
        json.field("result", verdict.rawValue)
        json.field("domain", signature.domain)
        json.field("selector", signature.selector)
        json.field("algorithm", signature.algorithmName)
        json.field("identity", signature.identity)
        json.field("canonicalization", "\(signature.headerForm.rawValue)/\(signature.bodyForm.rawValue)")
        json.field("length", signature.length)
        json.field("expired", isExpired)
        json.field("testing", isTesting)
        json.field("keyBits", keyBits)
        json.field("bodyHash", bodyHashAgrees.map { $0 ? "pass" : "fail" })
        json.field("signature", signatureAgrees.map { $0 ? "pass" : "fail" })
        json.field("findings", findings.map(\.rawValue))
        json.field("reason", reason)
    }
}

extension ARCOutcome {
    /// Writes the members of the outcome's object.
    package func write(_ json: inout JSONWriter) {
        json.field("result", verdict.rawValue)
        json.field("instances", instances)
        json.field("reason", reason)
    }
}

extension DMARCOutcome {
    /// Writes the members of the outcome's object.
    package func write(_ json: inout JSONWriter) {
        json.field("result", verdict.rawValue)
        json.field("domain", domain)
        json.field("organizational", organizational)
        json.field("organizationalBy", organizationalBy?.rawValue)
        json.field("policy", policy?.rawValue)
        json.field("disposition", disposition.rawValue)
        json.field("alignedBy", alignedBy)
        json.field("record", record)
        json.field("reason", reason)
    }
}
