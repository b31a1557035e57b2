import Bytes

/// The features of some lessons of each kind, kept so that a batch of one kind does not wash away what was learned of the
/// other: they are learned again beside it.
///
/// Those with the smallest digests are kept, which is a fair sample whatever the order in which lessons come and go.
struct LessonSamples: Sendable {
    struct Sample: Sendable {
        let digest: MessageDigest
        let isSpam: Bool
        /// Per group the count of its features, then their indices as differences in order; all as LEB128.
        fileprivate let packed: [UInt8]
    }

    /// So many of each kind.
    private static let limit = 1_000

    /// By digest, of each kind.
    private var spam: [Sample] = []
    private var ham: [Sample] = []

    init() {}

    var all: [Sample] { spam + ham }

    mutating func insert(_ digest: MessageDigest, isSpam: Bool, _ features: MessageFeatures) {
        insert([(digest, features)], isSpam: isSpam)
    }

    /// Adds lessons of one kind; only those that stay are packed.
    mutating func insert(_ lessons: [(digest: MessageDigest, features: MessageFeatures)], isSpam: Bool) {
        let list = isSpam ? spam : ham
        let fresh = lessons.indices.sorted { LessonSamples.precedes(lessons[$0].digest, lessons[$1].digest) }
        var merged: [Sample] = []
        merged.reserveCapacity(min(list.count + fresh.count, LessonSamples.limit))
        var (old, new) = (0, 0)
        while merged.count < LessonSamples.limit, old < list.count || new < fresh.count {
            let isOld =
                new == fresh.count
                || (old < list.count
                    && !LessonSamples.precedes(lessons[fresh[new]].digest, list[old].digest))
            if isOld {
                merged.append(list[old])
                old += 1
                continue
            }
            let (digest, features) = lessons[fresh[new]]
            new += 1
            if merged.last?.digest == digest { continue }
            merged.append(Sample(digest: digest, isSpam: isSpam, packed: LessonSamples.pack(features)))
        }
        if isSpam { spam = merged } else { ham = merged }
    }

    private static func precedes(_ first: MessageDigest, _ second: MessageDigest) -> Bool {
        (first.high, first.low) < (second.high, second.low)
    }

    mutating func remove(_ digest: MessageDigest, isSpam: Bool) {
        let list = isSpam ? spam : ham
        let place = LessonSamples.place(digest, in: list)
        guard place < list.count, list[place].digest == digest else { return }
        if isSpam { spam.remove(at: place) } else { ham.remove(at: place) }
    }

    /// Where a digest stands in a list, or belongs.
    private static func place(_ digest: MessageDigest, in list: [Sample]) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            let other = list[middle].digest
            if precedes(other, digest) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Features

    private static func pack(_ features: MessageFeatures) -> [UInt8] {
        var packed: [UInt8] = []
        packed.reserveCapacity(features.indices.count * 2 + 16)
        var start = 0
        for end in features.ends {
            append(UInt64(end - start), to: &packed)
            var last: UInt32 = 0
            for index in sorted(features.indices[start..<end]) {
                append(UInt64(index - last), to: &packed)
                last = index
            }
            start = end
        }
        return packed
    }

    /// By halves of the index, the lower one first: a sort that takes time in proportion to the count.
    private static func sorted(_ indices: ArraySlice<UInt32>) -> [UInt32] {
        let half = UInt32(FeatureExtractor.tableBits / 2)
        var from = Array(indices)
        var to = from
        for shift in [0, half] {
            var places = [Int](repeating: 0, count: 1 << Int(half) + 1)
            for index in from { places[Int(index >> shift & (1 << half - 1)) + 1] += 1 }
            for value in 1..<places.count { places[value] += places[value - 1] }
            for index in from {
                let value = Int(index >> shift & (1 << half - 1))
                to[places[value]] = index
                places[value] += 1
            }
            swap(&from, &to)
        }
        return from
    }

    /// The features of a sample; nil when its bytes are none, which only a damaged file has.
    static func features(of sample: Sample) -> MessageFeatures? {
        let bytes = sample.packed
        var place = 0
        var indices: [UInt32] = []
        var ends: [Int] = []
        for _ in 0..<FeatureGroup.count {
            guard let count = number(bytes, &place), count <= UInt64(bytes.count) else { return nil }
            var last: UInt64 = 0
            for _ in 0..<count {
                guard let step = number(bytes, &place) else { return nil }
                last &+= step
                guard last < UInt64(WeightFileHeader.weightCount) else { return nil }
                indices.append(UInt32(last))
            }
            ends.append(indices.count)
        }
        return MessageFeatures(indices, ends)
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func number(_ bytes: [UInt8], _ place: inout Int) -> UInt64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while place < bytes.count, shift < 56 {
            let byte = bytes[place]
            place += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
        return nil
    }

    // MARK: File

    /// As it stands in the file: per sample its kind, digest, length and features; padded to words.
    var bytes: [UInt8] {
        var result: [UInt8] = []
        for sample in all {
            result.append(sample.isSpam ? 2 : 1)
            for number in [sample.digest.high, sample.digest.low] {
                for shift in stride(from: UInt64(0), to: 64, by: 8) {
                    result.append(UInt8(truncatingIfNeeded: number >> shift))
                }
            }
            LessonSamples.append(UInt64(sample.packed.count), to: &result)
            result += sample.packed
        }
        return result + Array(repeating: 0, count: -result.count & 7)
    }

    init(_ bytes: [UInt8]) throws(WeightFileError) {
        var place = 0
        while place < bytes.count, bytes[place] != 0 {
            let isSpam = bytes[place] == 2
            guard place + 17 <= bytes.count else { throw .unusable(WeightFileHeader.damaged) }
            func number(_ start: Int) -> UInt64 {
                (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) }
            }
            let digest = MessageDigest(high: number(place + 1), low: number(place + 9))
            place += 17
            guard let length = LessonSamples.number(bytes, &place), length <= UInt64(bytes.count - place) else {
                throw .unusable(WeightFileHeader.damaged)
            }
            let sample = Sample(digest: digest, isSpam: isSpam, packed: Array(bytes[place..<place + Int(length)]))
            if isSpam { spam.append(sample) } else { ham.append(sample) }
            place += Int(length)
        }
    }
}
