/// A link of the message: as it is written, where it stands, and what it is shown as.
struct LinkDetail {
    static let keys = ["raw", "type", "cleaned", "text", "domain", "host"]

    let raw: [UInt8]
    /// The elements that link to it; `parsed` for what stands in the text.
    fileprivate(set) var types: [String] = []
    /// What people see in its place.
    fileprivate(set) var texts: [[UInt8]] = []

    /// The forms that programs understand it as, the written one among them.
    func cleaned(_ facts: MessageFacts) -> [[UInt8]] { MessageURIs.forms(of: raw, facts) }

    func hosts(_ facts: MessageFacts) -> [String] { MessageURIs.hosts(of: cleaned(facts), facts.tables.domains) }

    func domains(_ facts: MessageFacts) -> [String] { hosts(facts).map(facts.tables.domains.registered) }

    /// What a key of uri_detail stands for; nil when there is nothing.
    func values(_ key: String, _ facts: MessageFacts) -> [[UInt8]]? {
        let values =
            switch key {
            case "raw": [raw]
            case "type": types.map { Array($0.utf8) }
            case "cleaned": cleaned(facts)
            case "text": texts
            case "domain": domains(facts).map { Array($0.utf8) }
            default: hosts(facts).map { Array($0.utf8) }
            }
        return values.isEmpty ? nil : values
    }
}

extension MessageURIs {
    /// Each link once, with all that is known of it.
    static func details(in facts: MessageFacts) -> [LinkDetail] {
        var details: [LinkDetail] = []
        var places: [[UInt8]: Int] = [:]
        func take(_ raw: [UInt8], _ type: String, _ text: [UInt8]?) {
            guard !raw.isEmpty, details.count < most || places[raw] != nil else { return }
            let place = places[raw] ?? details.count
            if place == details.count {
                places[raw] = place
                details.append(LinkDetail(raw: raw))
            }
            if !details[place].types.contains(type) { details[place].types.append(type) }
            if let text { details[place].texts.append(text) }
        }
        for link in facts.textLinks { take(link, "parsed", nil) }
        for html in facts.htmlParts {
            for link in html.links {
                let text = link.anchor.flatMap { html.anchors.indices.contains($0) ? html.anchors[$0] : nil }
                take(Array(link.target.utf8.prefix(longest)), link.element, text)
            }
        }
        return details
    }
}
