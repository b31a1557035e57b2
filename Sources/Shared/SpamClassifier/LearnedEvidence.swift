import Bytes

extension LearnedWeights {
    /// The words that speak most for the side on which a message stands, the strongest first: `"click"` of the text,
    /// `X-Mailer:bulk` of a header field. At most `limit` of them, as UTF-8 with what is none of it replaced.
    package func evidence(in message: Span<UInt8>, _ extractor: FeatureExtractor, limit: Int = 8) -> [String] {
        let odds = logOdds(of: message, extractor)
        let excerpt = MessageExcerpt(message)
        var words: [UInt32: String] = [:]
        let header = excerpt.decodedHeader()
        LearnedEvidence.collectFields(header.span, &words)
        LearnedEvidence.collectWords(excerpt.decodedText(limit: FeatureExtractor.limit).span, &words)
        let ranked = words.map { (text: $1, weight: Double(weight(at: $0)) * (odds < 0 ? -1 : 1)) }
            .filter { $0.weight > 0 }
            .sorted { ($1.weight, $0.text) < ($0.weight, $1.text) }
        return ranked.prefix(limit).map(\.text)
    }
}

private enum LearnedEvidence {
    /// Longer words are no words.
    private static let longest = 40

    static func collectWords(_ text: Span<UInt8>, _ words: inout [UInt32: String]) {
        var place = 0
        while let word = FeatureHash.next(WordBytes.self, in: text, &place, end: text.count) {
            let index = FeatureHash.index(word: word.hash)
            guard words[index] == nil, word.range.count <= longest, word.range.count > 2 else { continue }
            words[index] = "\"\(text.array(word.range).text)\""
        }
    }

    static func collectFields(_ header: Span<UInt8>, _ words: inout [UInt32: String]) {
        var hash: UInt64 = 0
        var name = ""
        var place = 0
        let end = min(header.count, FeatureExtractor.limit)
        while place < end {
            let line = header.line(at: place, limit: end)
            var start = place
            if !header[place].isSpaceOrTab, let colon = header.firstIndex(of: ASCII.colon, in: line.content) {
                hash = FeatureHash.hash(header.extracting(place..<colon))
                name = header.array(place..<colon).text
                start = colon + 1
            }
            while let word = FeatureHash.next(WordBytes.self, in: header, &start, end: line.content.upperBound) {
                let index = FeatureHash.index(hash, word.hash, FeatureHash.fieldWord)
                guard words[index] == nil, word.range.count <= longest else { continue }
                words[index] = "\(name):\(header.array(word.range).text)"
            }
            place = line.next
        }
    }
}
