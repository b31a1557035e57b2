import Bytes

/// Finds the features of messages. One a thread: it keeps its buffers from message to message.
package final class FeatureExtractor {
    /// The table of weights has 2^22 places.
    package static let tableBits = 22
    /// Changes whenever the same message would give other features: weights learned otherwise say nothing.
    package static let definition: UInt32 = 2

    /// So many bytes of the message are cut into 4-grams, and so many of its decoded header and text into words.
    static let limit = 10_000
    /// More than `limit` can give: a gram a byte; a word has a byte and another one after it, and gives two features and
    /// one by its field in the header (where a field gives one more), four in the text.
    private static let capacity = 80_000
    /// Words of the text are paired with so many before them, words of the header with the one before.
    private static let textDistance = 2
    /// A bit for each place of the table: which features the message has already.
    private var seen = [UInt64](repeating: 0, count: (1 << FeatureExtractor.tableBits) / 64)
    private var indices = [UInt32](repeating: 0, count: FeatureExtractor.capacity)
    private var count = 0
    private var ends = [Int](repeating: 0, count: FeatureGroup.count)

    package init() {}

    package func features(of message: Span<UInt8>) -> MessageFeatures {
        extract(message)
        let features = MessageFeatures(Array(indices.prefix(count)), ends)
        clear()
        return features
    }

    /// The log-odds that the message is spam, by weights of `tableBits`.
    package func logOdds(of message: Span<UInt8>, _ weights: Span<Float>) -> Double {
        extract(message)
        let odds = FeatureExtractor.logOdds(indices.span, MessageFeatures.groups(ends), weights)
        clear()
        return odds
    }

    static func logOdds(_ indices: Span<UInt32>, _ groups: [FeatureGroup], _ weights: Span<Float>) -> Double {
        var sum = 0.0
        for group in groups { sum += logOdds(indices, group, weights) }
        return sum / Double(FeatureGroup.count)
    }

    /// What one group says. Weights are multiples of 2^-16 far below 2^37, so that the sum is exact in any order.
    static func logOdds(_ indices: Span<UInt32>, _ group: FeatureGroup, _ weights: Span<Float>) -> Double {
        var (first, second, third, fourth) = (0.0, 0.0, 0.0, 0.0)
        var place = group.range.lowerBound
        let end = group.range.upperBound
        while place &+ 3 < end {
            first += Double(weights[Int(indices[place])])
            second += Double(weights[Int(indices[place &+ 1])])
            third += Double(weights[Int(indices[place &+ 2])])
            fourth += Double(weights[Int(indices[place &+ 3])])
            place &+= 4
        }
        while place < end {
            first += Double(weights[Int(indices[place])])
            place &+= 1
        }
        return group.value * ((first + second) + (third + fourth))
    }

    private func clear() {
        var bits = seen.mutableSpan
        for place in 0..<count { bits[Int(indices[place] >> 6)] = 0 }
        count = 0
    }

    private func extract(_ message: Span<UInt8>) {
        let excerpt = MessageExcerpt(message)
        let bytes = excerpt.text.span
        let end = min(bytes.count, FeatureExtractor.limit)
        // What begins in the header is of the header.
        let split = min(excerpt.headerEnd + 3, end)
        addGrams(bytes.extracting(0..<split))
        ends[0] = count
        addGrams(bytes.extracting(max(0, split - 3)..<end))
        ends[1] = count
        let decoded = excerpt.decodedHeader()
        let header = decoded.span.extracting(0..<min(decoded.count, FeatureExtractor.limit))
        addFieldWords(header)
        ends[2] = count
        addWords(header, distance: 1)
        ends[3] = count
        let text = excerpt.decodedText(limit: FeatureExtractor.limit)
        addWords(text.span, distance: FeatureExtractor.textDistance)
        ends[4] = count
        addTerms(text.span)
        ends[5] = count
    }

    // MARK: Adding

    private func addGrams(_ bytes: Span<UInt8>) {
        guard bytes.count > 3 else { return }
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        var gram = UInt32(bytes[0]) << 16 | UInt32(bytes[1]) << 8 | UInt32(bytes[2])
        for place in 3..<bytes.count {
            gram = gram << 8 | UInt32(bytes[place])
            FeatureExtractor.add(FeatureHash.index(gram: gram), &bits, &found, &count)
        }
        self.count = count
    }

    /// Words, and pairs of words up to a distance of two, by the order and distance in which they stand.
    private func addWords(_ text: Span<UInt8>, distance: Int) {
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        var before: (UInt64, UInt64) = (0, 0)
        var known = 0
        var place = 0
        while let word = FeatureHash.next(WordBytes.self, in: text, &place, end: text.count) {
            FeatureExtractor.add(FeatureHash.index(word: word.hash), &bits, &found, &count)
            if known > 0 { FeatureExtractor.add(FeatureHash.index(before.0, word.hash, 1), &bits, &found, &count) }
            if known > 1, distance > 1 {
                FeatureExtractor.add(FeatureHash.index(before.1, word.hash, 2), &bits, &found, &count)
            }
            before = (word.hash, before.0)
            known += 1
        }
        self.count = count
    }

    /// Runs of letters and digits: words whatever stands around and within them.
    private func addTerms(_ text: Span<UInt8>) {
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        var place = 0
        while let term = FeatureHash.next(TermBytes.self, in: text, &place, end: text.count) {
            FeatureExtractor.add(FeatureHash.index(term: term.hash), &bits, &found, &count)
        }
        self.count = count
    }

    /// The words of the header by the names of their fields, and which field follows which.
    private func addFieldWords(_ header: Span<UInt8>) {
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        var field: UInt64 = 0
        var place = 0
        while place < header.count {
            let line = header.line(at: place)
            var start = place
            if !header[place].isSpaceOrTab, let colon = header.firstIndex(of: ASCII.colon, in: line.content) {
                let name = FeatureHash.hash(header.extracting(place..<colon))
                FeatureExtractor.add(FeatureHash.index(field, name, FeatureHash.nextField), &bits, &found, &count)
                field = name
                start = colon + 1
            }
            while let word = FeatureHash.next(WordBytes.self, in: header, &start, end: line.content.upperBound) {
                FeatureExtractor.add(FeatureHash.index(field, word.hash, FeatureHash.fieldWord), &bits, &found, &count)
            }
            place = line.next
        }
        self.count = count
    }

    /// Adds a feature that is not there yet.
    @inline(__always)
    private static func add(
        _ index: UInt32, _ bits: inout MutableSpan<UInt64>, _ found: inout MutableSpan<UInt32>, _ count: inout Int
    ) {
        let word = Int(index >> 6)
        let bit: UInt64 = 1 << UInt64(index & 63)
        let old = bits[word]
        // Without a branch: whether a feature is new is a coin's throw.
        bits[word] = old | bit
        found[count] = index
        count &+= old & bit == 0 ? 1 : 0
    }
}
