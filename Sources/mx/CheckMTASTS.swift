import Bytes
import CommandLineTool
import DNS
import Network
import OpenSSL
import TransportPolicy
import Unix

/// The record of MTA-STS, the policy behind it, and whether the policy names the hosts of the domain (RFC 8461).
struct MTASTSCheck: Sendable {
    let policies: PolicyCheck
    let route: MailRoute
    /// Nil when no policy is fetched.
    let fetch: HTTPSFetch?

    private var domain: String { policies.domain }

    func section() async -> CheckSection {
        let name = "_mta-sts.\(domain)"
        var found = await policies.find(name, version: "v=STSv1")
        // RFC 8461 3.1: `v=STSv1; id=20260101;`
        let id = found.tags.first { $0.name == "id" }?.value
        if found.record != nil, found.problem == nil {
            if let id {
                let isValid = 1...32 ~= id.utf8.count && id.utf8.allSatisfy(\.isASCIIAlphanumeric)
                if !isValid { found.problem = "id=\(id) is not 1 to 32 letters and digits" }
            } else {
                found.problem = "there is no id"
            }
        }
        let (record, problem) = (found.record, found.problem)
        let announcement = "v=STSv1 id=\(id ?? "")"
        guard record != nil, problem == nil, found.failure == nil, let fetch else {
            let item = policies.item(
                found, .mtaSTSSyntax, name, missing: "no record", good: "\(announcement), policy not fetched")
            return section([item], record, id: problem == nil ? id : nil, policy: nil, problem)
        }
        do throws(MTASTSFailure) {
            let policy = try await MTASTSFetch(policies.resolver, fetch).policy(of: domain)
            let items = [CheckItem(.ok, "\(announcement)  \(Self.text(policy))")] + uncovered(by: policy)
            return section(items, record, id: id, policy: policy, nil)
        } catch {
            let items = [CheckItem(.ok, "\(announcement), but the policy cannot be had"), item(error)]
            return section(items, record, id: id, policy: nil, "\(error)")
        }
    }

    private func section(
        _ items: [CheckItem], _ record: String?, id: String?, policy: MTASTSPolicy?, _ problem: String?
    ) -> CheckSection {
        CheckSection(.mtaSTS, items) { json in
            json.object { json in
                json.field("record", record)
                json.field("id", id)
                json.key("policy")
                if let policy {
                    json.object { json in
                        json.field("mode", policy.mode.rawValue)
                        json.field("mx", policy.patterns)
                        json.field("maxAge", policy.maximumAge)
                    }
                } else {
                    json.null()
                }
                json.field("problem", problem)
            }
        }
    }

    /// `mode=enforce mx=mail.example.org *.example.net max_age=604800 (7 days)`
    private static func text(_ policy: MTASTSPolicy) -> String {
        let days = policy.maximumAge / 86_400
        let age = "\(policy.maximumAge) (\(days) \(days == 1 ? "day" : "days"))"
        let hosts = policy.patterns.isEmpty ? "" : " mx=\(policy.patterns.joined(separator: " "))"
        return "mode=\(policy.mode.rawValue)\(hosts) max_age=\(age)"
    }

    private func item(_ failure: MTASTSFailure) -> CheckItem {
        let host = MTASTSFetch.host(of: domain)
        switch failure.kind {
        case .temporary: return CheckItem(Finding(.mtaSTSPolicy, .unknown, host, failure.description))
        case .noRoute: return CheckItem(.notApplicable, "\(failure) (not a fault of the domain)")
        case .refused: return CheckItem(Finding(.mtaSTSPolicy, .warning, host, failure.description))
        case .invalid: return CheckItem(Finding(.mtaSTSSyntax, .error, host, failure.description))
        }
    }

    /// The hosts of the domain that the policy does not name: senders that keep to it do not deliver there.
    private func uncovered(by policy: MTASTSPolicy) -> [CheckItem] {
        guard policy.mode != .none, route.status == .mx else { return [] }
        var names: [String] = []
        for host in route.hosts where !policy.names(host.name) && !names.contains(host.name) { names.append(host.name) }
        return names.map { name in
            CheckItem(
                Finding(
                    .mtaSTSHost, policy.mode == .enforce ? .error : .warning, name,
                    "\(name) is not named by the policy (mode \(policy.mode.rawValue))"))
        }
    }
}
