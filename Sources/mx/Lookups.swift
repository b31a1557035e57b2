import DNS

/// The answer for one name.
struct Lookup: Sendable {
    let route: MailRoute
    let milliseconds: Double
}

/// Looks up the mail routes of names.
struct Lookups: Sendable {
    let resolver: Resolver
    let withAddresses: Bool
    /// Says how names are completed; nil when they are not.
    let searchList: ResolverConfiguration?

    nonisolated(nonsending) func lookup(_ name: String) async -> Lookup {
        let start = ContinuousClock.now
        let route = await route(name)
        return Lookup(route: route, milliseconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1_000)
    }

    /// The route of a name, or of the first of its completions that exists.
    nonisolated(nonsending) func route(_ name: String) async -> MailRoute {
        guard let searchList, !name.hasPrefix("["), !name.hasSuffix("]") else {
            return await resolver.mailRoute(for: name, withAddresses: withAddresses)
        }
        var answer: MailRoute?
        for candidate in searchList.candidates(for: name) {
            var route = await resolver.mailRoute(for: candidate, withAddresses: withAddresses)
            route.domain = name
            if route.status != .nxdomain && route.status != .invalid { return route }
            if candidate == name || answer == nil { answer = route }
        }
        return answer ?? MailRoute(domain: name, ascii: nil, status: .invalid)
    }
}
