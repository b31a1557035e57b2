import Bytes
import CommandLineTool
import DNS
import OpenSSL
import SenderAuthentication

/// The DKIM keys of selectors (RFC 6376 3.6.1, RFC 8301, RFC 8463).
enum DKIMKeyCheck {
    private struct Facts: Sendable {
        let selector: String
        var record: String?
        var algorithm: String?
        var bits: Int?
        /// `missing`, `revoked`, `tempfail`, or why the record cannot be used.
        var error: String?
        var item: CheckItem
    }

    static func section(_ selectors: [String], _ domain: String, _ resolver: Resolver) async -> CheckSection {
        let facts = await inOrder(selectors) { await check($0, domain, resolver) }
        return CheckSection(.dkim, facts.map(\.item)) { json in
            json.array { json in
                for fact in facts {
                    json.object { json in
                        json.field("selector", fact.selector)
                        json.field("record", fact.record)
                        json.field("algorithm", fact.algorithm)
                        json.field("keyBits", fact.bits)
                        json.field("error", fact.error)
                    }
                }
            }
        }
    }

    private static func check(_ selector: String, _ domain: String, _ resolver: Resolver) async -> Facts {
        let name = "\(selector)._domainkey.\(domain)"
        var facts = Facts(selector: selector, item: CheckItem(.ok, selector))
        let answer = await resolver.lookup(name, .txt)
        if let failure = answer.temporaryFailure {
            facts.error = "tempfail"
            facts.item = CheckItem(Finding(.tempfail, .unknown, name, "\(selector): \(failure)"))
            return facts
        }
        let texts = answer.records.compactMap(\.data.joinedText).filter(DKIMKeyRecord.isCandidate)
        guard let text = texts.first else {
            facts.error = "missing"
            let why =
                answer.records.isEmpty
                ? answer.outcome == .noSuchDomain ? "does not exist (NXDOMAIN)" : "has no TXT record"
                : "has a TXT record that is no key"
            facts.item = CheckItem(Finding(.dkimMissing, .error, name, "\(selector): \(name) \(why)"))
            return facts
        }
        facts.record = PolicyTag.text(text)
        judge(text, name, isOnly: texts.count == 1, &facts)
        return facts
    }

    private static func judge(_ text: [UInt8], _ name: String, isOnly: Bool, _ facts: inout Facts) {
        let record: DKIMKeyRecord
        do throws(DKIMKeyRecordError) {
            record = try DKIMKeyRecord(parsing: text)
        } catch {
            facts.error = error.description
            facts.item = CheckItem(
                Finding(.dkimSyntax, .error, name, "\(facts.selector): \(error)"), details: [PolicyTag.text(text)])
            return
        }
        facts.algorithm = record.kind == .rsa ? "rsa" : "ed25519"
        if record.isRevoked {
            facts.error = "revoked"
            facts.item = CheckItem(
                Finding(.dkimRevoked, .error, name, "\(facts.selector): the key was revoked (p= is empty)"))
            return
        }
        var findings: [Finding] = []
        var evidence = "\(facts.selector) \(facts.algorithm ?? "")"
        do throws(OpenSSLError) {
            let key = try PublicKey(record.key, kind: record.kind)
            facts.bits = key.bits
            if record.kind == .rsa {
                evidence += " \(key.bits) bits"
                if key.bits < 2_048 {
                    evidence += key.bits < 1_024 ? ", too short to pass (RFC 8301)" : ", use 2048 (RFC 8301)"
                    findings.append(
                        Finding(
                            .dkimWeak, key.bits < 1_024 ? .error : .warning, name,
                            "\(facts.selector): RSA key of \(key.bits) bits"))
                }
            }
        } catch {
            if error == .missing {
                evidence += " (the key was not looked into: \(error))"
            } else {
                facts.error = "p= is not a key"
                findings.append(Finding(.dkimSyntax, .error, name, "\(facts.selector): p= is not a key: \(error)"))
                evidence += ": p= is not a key"
            }
        }
        if !isOnly {
            findings.append(Finding(.dkimSyntax, .warning, name, "\(facts.selector): more than one key record"))
            evidence += ", more than one record"
        }
        if !record.servesMail {
            findings.append(Finding(.dkimSyntax, .error, name, "\(facts.selector): s= does not allow mail"))
            evidence += ", not for mail (s=)"
        }
        if record.isTesting { evidence += " (testing)" }
        facts.item = CheckItem(evidence, findings)
    }
}
