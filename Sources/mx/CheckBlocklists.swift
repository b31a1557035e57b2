import Bytes
import CommandLineTool
import DNS
import Unix

/// Whether blocklists (DNSBL, RFC 5782) hold an address.
struct BlocklistCheck: Sendable {
    let resolver: Resolver
    let addresses: [IPAddress]
    let zones: [DomainName]

    private struct Question: Sendable {
        let address: IPAddress
        let zone: DomainName
    }

    private struct Listing: Sendable {
        let question: Question
        /// nil when the list does not say.
        var isListed: Bool?
        var codes: [String] = []
        var text: String?
        var item: CheckItem
    }

    func section() async -> CheckSection {
        let questions = addresses.flatMap { address in zones.map { Question(address: address, zone: $0) } }
        let resolver = resolver
        let listings = await inOrder(questions) { await BlocklistCheck.ask($0, resolver) }
        let items = listings.isEmpty ? [CheckItem(.notApplicable, "no address")] : listings.map(\.item)
        return CheckSection(.dnsbl, items) { json in
            json.array { json in
                for listing in listings {
                    json.object { json in
                        json.field("address", listing.question.address.description)
                        json.field("zone", "\(listing.question.zone)")
                        json.field("listed", listing.isListed)
                        json.field("codes", listing.codes)
                        json.field("text", listing.text)
                    }
                }
            }
        }
    }

    private static func ask(_ question: Question, _ resolver: Resolver) async -> Listing {
        let place = "\(question.address) in \(question.zone)"
        var listing = Listing(question: question, item: CheckItem(.ok, "\(place): not listed"))
        guard let name = DomainName(reverseOf: question.address, under: question.zone) else {
            listing.item = CheckItem(.unknown, "\(place): the name gets too long")
            return listing
        }
        let answer = await resolver.lookup(name, .a)
        if let failure = answer.temporaryFailure {
            listing.item = CheckItem(Finding(.tempfail, .unknown, question.address.description, "\(place): \(failure)"))
            return listing
        }
        let codes = answer.records.compactMap { record -> IPAddress? in
            if case .address(let address) = record.data { address } else { nil }
        }
        listing.codes = codes.map(\.description)
        guard !codes.isEmpty else {
            listing.isListed = false
            return listing
        }
        let list = listing.codes.joined(separator: " ")
        // 127.255.255.x says that the question was refused; what is outside of 127.0.0.0/8 is no answer of a list.
        let listed = codes.filter { $0.bytes.first == 127 && !$0.bytes.starts(with: [127, 255, 255]) }
        guard !listed.isEmpty else {
            let why =
                codes.contains { $0.bytes.first == 127 }
                ? "the list refuses to answer this resolver" : "not the answer of a list"
            listing.item = CheckItem(.unknown, "\(place): \(list): \(why)")
            return listing
        }
        listing.isListed = true
        listing.text = await resolver.lookup(name, .txt).records.lazy.compactMap(\.data.joinedText).first.map {
            PolicyTag.text($0)
        }
        listing.item = CheckItem(
            Finding(.dnsblListed, .error, question.address.description, "\(place): listed (\(list))"),
            details: listing.text.map { [$0] } ?? [])
        return listing
    }
}
