import Bytes

/// The features of one message: indices into the table of weights, each once.
///
/// They stand in three groups (byte 4-grams of the header, byte 4-grams of the body, words), and each group has the same
/// energy: a feature's value is 1/sqrt(groups × features of its group). So a long body does not drown what the header
/// says.
package struct MessageFeatures: Sendable {
    /// All groups one after the other.
    package let indices: [UInt32]
    /// Where each group ends.
    package let ends: [Int]
    /// The value of each feature of a group; 0 for an empty group.
    package let values: [Double]

    init(_ indices: [UInt32], _ ends: [Int]) {
        self.indices = indices
        self.ends = ends
        values = MessageFeatures.values(ends)
    }

    static func values(_ ends: [Int]) -> [Double] {
        var counts: [Int] = []
        for (group, end) in ends.enumerated() { counts.append(end - (group == 0 ? 0 : ends[group - 1])) }
        let groups = counts.count { $0 > 0 }
        return counts.map { $0 == 0 ? 0 : 1 / Double(groups * $0).squareRoot() }
    }
}

/// Finds the features of messages. One a thread: it keeps its buffers from message to message.
package final class FeatureExtractor {
    /// The table of weights has 2^22 places.
    package static let tableBits = 22
    /// Changes whenever the same message would give other features: weights learned otherwise say nothing.
    package static let definition: UInt32 = 1

    /// So many bytes of the message are cut into 4-grams, and so many of its decoded header and text into words.
    static let limit = 10_000
    /// More than `limit` can give: a gram a byte, six features a word and one a field of the header, five a word of the
    /// text, where a word has a byte and another one after it.
    private static let capacity = 120_000
    /// A bit for each place of the table: which features the message has already.
    private var seen = [UInt64](repeating: 0, count: (1 << FeatureExtractor.tableBits) / 64)
    private var indices = [UInt32](repeating: 0, count: FeatureExtractor.capacity)
    private var count = 0
    private var ends = [0, 0, 0]

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
        let values = MessageFeatures.values(ends)
        var sum = 0.0
        var start = 0
        for (end, value) in zip(ends, values) {
            sum += value * FeatureExtractor.sum(indices.span.extracting(start..<end), weights)
            start = end
        }
        clear()
        return sum
    }

    /// Weights are multiples of 2^-16 far below 2^37, so that the sum is exact in any order.
    static func sum(_ indices: Span<UInt32>, _ weights: Span<Float>) -> Double {
        var (first, second, third, fourth) = (0.0, 0.0, 0.0, 0.0)
        var place = 0
        while place &+ 3 < indices.count {
            first += Double(weights[Int(indices[place])])
            second += Double(weights[Int(indices[place &+ 1])])
            third += Double(weights[Int(indices[place &+ 2])])
            fourth += Double(weights[Int(indices[place &+ 3])])
            place &+= 4
        }
        while place < indices.count {
            first += Double(weights[Int(indices[place])])
            place &+= 1
        }
        return (first + second) + (third + fourth)
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
        let split = min(excerpt.headerEnd, end)
        addGrams(bytes.extracting(0..<end), split: split)
        let header = excerpt.decodedHeader()
        addFieldWords(header.span)
        addWords(header.span.extracting(0..<min(header.count, FeatureExtractor.limit)))
        let text = excerpt.decodedText(limit: FeatureExtractor.limit)
        addWords(text.span)
        ends[2] = count
    }

    // MARK: Adding

    private func addGrams(_ bytes: Span<UInt8>, split: Int) {
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        ends[0] = 0
        var gram: UInt32 = 0
        for place in 0..<bytes.count {
            gram = gram << 8 | UInt32(bytes[place])
            guard place >= 3 else { continue }
            if place == split + 3 { ends[0] = count }
            FeatureExtractor.add(FeatureHash.index(gram: gram), &bits, &found, &count)
        }
        if bytes.count <= split + 3 { ends[0] = count }
        ends[1] = count
        self.count = count
    }

    /// Words, and pairs of words by the order and distance in which they stand.
    private func addWords(_ text: Span<UInt8>) {
        var bits = seen.mutableSpan
        var found = indices.mutableSpan
        var count = self.count
        var before: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var known = 0
        var place = 0
        while let word = FeatureHash.nextWord(text, &place) {
            FeatureExtractor.add(FeatureHash.index(word: word.hash), &bits, &found, &count)
            if known > 0 { FeatureExtractor.add(FeatureHash.index(before.0, word.hash, 1), &bits, &found, &count) }
            if known > 1 { FeatureExtractor.add(FeatureHash.index(before.1, word.hash, 2), &bits, &found, &count) }
            if known > 2 { FeatureExtractor.add(FeatureHash.index(before.2, word.hash, 3), &bits, &found, &count) }
            if known > 3 { FeatureExtractor.add(FeatureHash.index(before.3, word.hash, 4), &bits, &found, &count) }
            before = (word.hash, before.0, before.1, before.2)
            known += 1
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
        let end = min(header.count, FeatureExtractor.limit)
        while place < end {
            let line = header.line(at: place, limit: end)
            var start = place
            if !header[place].isSpaceOrTab, let colon = header.firstIndex(of: ASCII.colon, in: line.content) {
                let name = FeatureHash.hash(header.extracting(place..<colon))
                FeatureExtractor.add(FeatureHash.index(field, name, FeatureHash.nextField), &bits, &found, &count)
                field = name
                start = colon + 1
            }
            let content = header.extracting(start..<line.content.upperBound)
            var wordPlace = 0
            while let word = FeatureHash.nextWord(content, &wordPlace) {
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
