import Bytes
import Glibc
import Unix

/// The weights of a file, mapped. A file is never changed where it lies, only replaced: what is mapped stays valid, and
/// reading waits for nobody.
package final class LearnedWeights: Sendable {
    private let file: MappedFile
    private let header: WeightFileHeader
    /// Tells one state of the file from another: inode and time of change.
    package let identity: FileIdentity

    /// Maps `path` and checks it, all of it.
    package init(_ path: String) throws(WeightFileError) {
        do throws(SystemError) {
            let descriptor = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
            identity = FileIdentity(try descriptor.status())
            file = try MappedFile(descriptor)
        } catch {
            if error.code == ESPIPE { throw .unusable("not a file of learned weights") }
            throw .system(reason: error.reason, code: error.code)
        }
        header = try LearnedWeights.check(file)
    }

    private static func check(_ file: borrowing MappedFile) throws(WeightFileError) -> WeightFileHeader {
        let header = try WeightFileHeader(
            file.bytes.extracting(0..<min(file.count, WeightFileHeader.size)), fileSize: file.count)
        var checksum = PayloadChecksum()
        checksum.add(file.words(at: WeightFileHeader.size, count: (header.samplesOffset - WeightFileHeader.size) / 8))
        guard checksum.value == header.checksum else { throw .unusable(WeightFileHeader.damaged) }
        // The check has touched every page; a message needs few of them.
        file.release(upTo: file.count)
        return header
    }

    package var counts: LessonCounts { header.counts }

    /// The log-odds that a message is spam: above 0 it is rather spam.
    package func logOdds(of message: Span<UInt8>, _ extractor: FeatureExtractor) -> Double {
        LearnedWeights.logOdds(of: message, extractor, file)
    }

    private static func logOdds(
        of message: Span<UInt8>, _ extractor: FeatureExtractor, _ file: borrowing MappedFile
    ) -> Double {
        extractor.logOdds(of: message, file.floats(at: WeightFileHeader.size, count: WeightFileHeader.weightCount))
    }

    func weight(at index: UInt32) -> Float { LearnedWeights.weight(file, Int(index)) }

    private static func weight(_ file: borrowing MappedFile, _ index: Int) -> Float {
        let weights = file.floats(at: WeightFileHeader.size, count: WeightFileHeader.weightCount)
        return index < weights.count ? weights[index] : 0
    }

    /// A copy of the weights.
    func weights() -> [Float] { LearnedWeights.weights(file) }

    private static func weights(_ file: borrowing MappedFile) -> [Float] {
        Array(copying: file.floats(at: WeightFileHeader.size, count: WeightFileHeader.weightCount))
    }

    /// The lessons in the file.
    func journal() -> LessonJournal { LearnedWeights.journal(file, header) }

    private static func journal(_ file: borrowing MappedFile, _ header: WeightFileHeader) -> LessonJournal {
        let words = file.words(
            at: WeightFileHeader.journalOffset, count: header.slots * LessonJournal.wordsPerSlot)
        return LessonJournal(words: Array(copying: words), count: header.lessons)
    }

    /// Samples of the lessons.
    func samples() throws(WeightFileError) -> LessonSamples {
        let bytes = LearnedWeights.samples(file, header)
        guard WeightFileHeader.checksum(of: bytes.span) == header.samplesChecksum else {
            throw .unusable(WeightFileHeader.damaged)
        }
        return try LessonSamples(bytes)
    }

    private static func samples(_ file: borrowing MappedFile, _ header: WeightFileHeader) -> [UInt8] {
        file.bytes.array(header.samplesOffset..<header.fileSize)
    }
}

/// Which state of a file it is.
package struct FileIdentity: Equatable, Sendable {
    private let inode: UInt
    private let seconds: Int
    private let nanoseconds: Int

    package init(_ status: stat) {
        inode = status.st_ino
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }

    /// Of what stands at `path` now; nil when nothing does.
    package static func of(_ path: String) -> FileIdentity? {
        (try? Files.status(path)).map { FileIdentity($0) }
    }
}
