import CommandLineTool
import DNS
import SenderAuthentication
import Unix

/// The diagnosis of one domain.
struct CheckResult: Sendable {
    let route: MailRoute
    let sections: [CheckSection]
    let milliseconds: Double
    /// Queries to DNS servers; nil when other names were looked up meanwhile.
    let queries: Int?

    var findings: [Finding] { sections.flatMap(\.findings) }

    func count(_ severity: Finding.Severity) -> Int { findings.count { $0.severity == severity } }

    /// 68, 75 and 65 as of a lookup; else 1 when there is an error, or with `isStrict` a warning.
    func exitCode(isStrict: Bool) -> ExitCode {
        let code = route.status.exitCode
        guard code == .ok else { return code }
        return count(.error) > 0 || isStrict && count(.warning) > 0 ? .negative : .ok
    }
}

/// Looks at everything that matters for mail to a domain, all parts at the same time; each fails alone.
struct DomainCheck: Sendable {
    let resolver: Resolver
    let settings: CheckSettings
    let deadline: ContinuousClock.Instant?

    func run(_ route: MailRoute, since start: ContinuousClock.Instant, queriesBefore: Int?) async -> CheckResult {
        let sections = await sections(route)
        let time = Double((ContinuousClock.now - start) / .microseconds(1)) / 1_000
        return CheckResult(
            route: route, sections: sections, milliseconds: time,
            queries: queriesBefore.map { resolver.queryCount - $0 })
    }

    private func sections(_ route: MailRoute) async -> [CheckSection] {
        let routing = RoutingCheck(resolver: resolver, route: route)
        var sections = [routing.exchanges()]
        if route.status != .invalid && route.status != .nxdomain {
            sections.append(routing.authentication())
            sections += await withTaskGroup(of: [CheckSection].self) { group in
                for part in CheckPart.allCases where settings.parts.contains(part) {
                    group.addTask { await self.sections(part, route, routing) }
                }
                if settings.probes || settings.parts.contains(.dane) {
                    group.addTask { await conversations(route) }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
        }
        let order = CheckPart.allCases
        return sections.filter { settings.parts.contains($0.part) }.sorted {
            (order.firstIndex(of: $0.part) ?? 0) < (order.firstIndex(of: $1.part) ?? 0)
        }
    }

    /// A part that needs nothing of the others.
    private func sections(_ part: CheckPart, _ route: MailRoute, _ routing: RoutingCheck) async -> [CheckSection] {
        if part == .ptr { return [await routing.reverseNames()] }
        if part == .dnsbl {
            return [
                await BlocklistCheck(
                    resolver: resolver, addresses: Array(route.distinctAddresses.prefix(64)), zones: settings.blocklists
                ).section()
            ]
        }
        guard route.status != .literal, let domain = route.ascii else { return [] }
        let policies = PolicyCheck(resolver: resolver, domain: domain)
        switch part {
        case .spf: return [await SPFPolicyCheck.section(domain, resolver)]
        case .dmarc: return [await DMARCPolicyCheck(resolver: resolver, domain: domain).section()]
        case .dkim: return [await DKIMKeyCheck.section(settings.selectors, domain, resolver)]
        case .mtaSTS:
            let fetch = settings.policyFetch(deadline: deadline)
            return [await MTASTSCheck(policies: policies, route: route, fetch: fetch).section()]
        case .tlsRPT: return [await policies.tlsReporting()]
        case .bimi:
            guard let selector = settings.indicator else { return [] }
            return [await policies.indicator(selector: selector)]
        case .mx, .dns, .ptr, .dane, .dnsbl, .smtp: return []
        }
    }

    /// The probe of the hosts, and DANE, which compares with what the probe has seen.
    private func conversations(_ route: MailRoute) async -> [CheckSection] {
        let smtp = SMTPCheck(resolver: resolver, route: route, settings: settings.probe(of: route, deadline: deadline))
        let dane = DANECheck(resolver: resolver, route: route, port: settings.port)
        async let records = dane.lookUp()
        let probes = settings.probes ? await smtp.probe() : []
        return [dane.section(await records, probes), await smtp.section(probes)]
    }
}
