import Bytes

/// How many messages were learned.
package struct LessonCounts: Equatable, Sendable {
    package var spam = 0
    package var ham = 0
    package init(spam: Int = 0, ham: Int = 0) {
        self.spam = spam
        self.ham = ham
    }
}

/// The first page of a file of weights.
///
///     0   8  "FACTEURW"
///     8   4  version of this layout
///     12  4  definition of the features
///     16  4  bits of the table: 2^bits weights, floats of 32 bits, begin at 4096
///     24  8  spam learned
///     32  8  ham learned
///     40  8  places of the journal of lessons, 48 bytes each, behind the weights; 0 or a power of 2
///     48  8  lessons in the journal
///     56  8  checksum of weights and journal
///     64  8  bytes of the samples of lessons behind the journal, a multiple of 8
///     72  8  checksum of the samples
///     80  8  checksum of the 80 bytes above
///
/// Numbers are little-endian.
struct WeightFileHeader: Sendable {
    static let size = 4_096
    static let weightCount = 1 << FeatureExtractor.tableBits
    static let journalOffset = size + weightCount * 4
    private static let magic = Array("FACTEURW".utf8)
    private static let version: UInt32 = 1

    var counts = LessonCounts()
    var slots = 0
    var lessons = 0
    var checksum: UInt64 = 0
    var samplesSize = 0
    var samplesChecksum: UInt64 = 0

    var samplesOffset: Int { WeightFileHeader.journalOffset + slots * LessonJournal.wordsPerSlot * 8 }
    /// The size of the whole file.
    var fileSize: Int { samplesOffset + samplesSize }

    var bytes: [UInt8] {
        var bytes = WeightFileHeader.magic
        func append(_ number: UInt64, _ size: Int) {
            for byte in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(byte * 8))) }
        }
        append(UInt64(WeightFileHeader.version), 4)
        append(UInt64(FeatureExtractor.definition), 4)
        append(UInt64(FeatureExtractor.tableBits), 8)
        append(UInt64(counts.spam), 8)
        append(UInt64(counts.ham), 8)
        append(UInt64(slots), 8)
        append(UInt64(lessons), 8)
        append(checksum, 8)
        append(UInt64(samplesSize), 8)
        append(samplesChecksum, 8)
        append(WeightFileHeader.checksum(of: bytes.span), 8)
        return bytes + Array(repeating: 0, count: WeightFileHeader.size - bytes.count)
    }

    init() {}

    /// Reads the first page of a file that is `fileSize` bytes long.
    init(_ bytes: Span<UInt8>, fileSize: Int) throws(WeightFileError) {
        func number(_ offset: Int, _ size: Int) -> UInt64 {
            var number: UInt64 = 0
            for byte in 0..<size { number |= UInt64(bytes[offset + byte]) << UInt64(byte * 8) }
            return number
        }
        guard bytes.count >= 8, bytes.array(0..<8) == WeightFileHeader.magic else {
            throw .unusable("not a file of learned weights: it is left as it is")
        }
        guard bytes.count >= WeightFileHeader.size else { throw .unusable(WeightFileHeader.cut) }
        guard number(8, 4) == UInt64(WeightFileHeader.version), number(16, 4) == UInt64(FeatureExtractor.tableBits),
            number(12, 4) == UInt64(FeatureExtractor.definition)
        else { throw .unusable("learned by another version of this program: learn anew into another file") }
        guard number(80, 8) == WeightFileHeader.checksum(of: bytes.extracting(0..<80)) else {
            throw .unusable(WeightFileHeader.damaged)
        }
        let limit = UInt64(1) << 40
        guard number(24, 8) < limit, number(32, 8) < limit, number(40, 8) < limit, number(48, 8) < limit,
            number(64, 8) < limit
        else {
            throw .unusable(WeightFileHeader.damaged)
        }
        counts = LessonCounts(spam: Int(number(24, 8)), ham: Int(number(32, 8)))
        slots = Int(number(40, 8))
        lessons = Int(number(48, 8))
        checksum = number(56, 8)
        samplesSize = Int(number(64, 8))
        samplesChecksum = number(72, 8)
        guard slots & (slots - 1) == 0 || slots == 0, lessons * 2 <= slots else {
            throw .unusable(WeightFileHeader.damaged)
        }
        guard fileSize == self.fileSize else { throw .unusable(WeightFileHeader.cut) }
    }

    static let damaged = "the file of learned weights is damaged: restore a copy, or learn anew into another file"
    private static let cut =
        "the file of learned weights is cut short or too long: restore a copy, or learn anew into another file"

    static func checksum(of bytes: Span<UInt8>) -> UInt64 {
        var sum = FNV1a()
        for place in 0..<bytes.count { sum.add(bytes[place]) }
        return sum.value
    }
}

/// The checksum of weights and journal: four lanes of words, so that 16 MiB take about a millisecond.
struct PayloadChecksum {
    private var lanes: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
    private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

    var value: UInt64 {
        let factor = PayloadChecksum.factor
        return ((lanes.0 &* factor ^ lanes.1) &* factor ^ lanes.2) &* factor ^ lanes.3
    }

    /// Adds words, a multiple of four.
    mutating func add(_ words: Span<UInt64>) {
        var lanes = lanes
        var place = 0
        while place + 3 < words.count {
            lanes.0 = (lanes.0 ^ words[place]) &* PayloadChecksum.factor
            lanes.1 = (lanes.1 ^ words[place &+ 1]) &* PayloadChecksum.factor
            lanes.2 = (lanes.2 ^ words[place &+ 2]) &* PayloadChecksum.factor
            lanes.3 = (lanes.3 ^ words[place &+ 3]) &* PayloadChecksum.factor
            place &+= 4
        }
        self.lanes = lanes
    }

    /// Adds weights, two of them a word; a multiple of eight.
    mutating func add(weights: Span<Float>) {
        var lanes = lanes
        func word(_ place: Int) -> UInt64 {
            UInt64(weights[place].bitPattern) | UInt64(weights[place &+ 1].bitPattern) << 32
        }
        var place = 0
        while place + 7 < weights.count {
            lanes.0 = (lanes.0 ^ word(place)) &* PayloadChecksum.factor
            lanes.1 = (lanes.1 ^ word(place &+ 2)) &* PayloadChecksum.factor
            lanes.2 = (lanes.2 ^ word(place &+ 4)) &* PayloadChecksum.factor
            lanes.3 = (lanes.3 ^ word(place &+ 6)) &* PayloadChecksum.factor
            place &+= 8
        }
        self.lanes = lanes
    }
}
