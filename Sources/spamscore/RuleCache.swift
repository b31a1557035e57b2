import Bytes
import CommandLineTool
import Glibc
import SpamRules
import Unix

/// The rules as they were made ready the last time, in a file of its own for each list of rule files
/// (`~/.cache/facteur/rules-*.image`). It is taken only when it was made by this program of the same files, and made anew
/// else: a file that is cut short, damaged or another's is as good as none.
///
///     "FACTEURR"  length and text of what it was made of, padded to 8 bytes  checksum of the rest
///     lengths of the image and of the compiled expressions  both, padded to 32 bytes
struct RuleCache {
    private let path: String
    /// Names, sizes and times of the files and of the program.
    private let key: [UInt8]

    private static let magic = Array("FACTEURR".utf8)
    /// Less is read sooner as it is.
    private static let smallest = 32_768

    /// Nil when there is no place for it, or no need.
    init?(_ files: [String]) {
        guard let folder = RuleCache.folder else { return nil }
        var key = "\(facteurVersion)\n"
        var hash = FNV1a()
        var size = 0
        for file in ["/proc/self/exe"] + files {
            guard let (line, count) = RuleCache.state(of: file) else { return nil }
            if !file.hasPrefix("/proc") { size += count }
            key += line
            hash.add(file.utf8)
            hash.add(ASCII.nul)
        }
        guard size >= RuleCache.smallest else { return nil }
        path = "\(folder)/rules-\(String(hash.value, radix: 16)).image"
        self.key = Array(key.utf8)
    }

    /// What tells one state of a file from another, as a line, and its size.
    private static func state(of file: String) -> (line: String, size: Int)? {
        guard let status = try? Files.status(file) else { return nil }
        let time = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        return ("\(file)\0\(status.st_dev):\(status.st_ino) \(status.st_size) \(time)\n", Int(status.st_size))
    }

    private static var folder: String? {
        for (name, suffix) in [("XDG_CACHE_HOME", "/facteur"), ("HOME", "/.cache/facteur")] {
            if let value = getenv(name) {
                let text = String(cString: value)
                if text.hasPrefix("/") { return text + suffix }
            }
        }
        return nil
    }

    // MARK: Reading

    /// Nil when there is none that holds.
    func plan() -> RulePlan? {
        guard let descriptor = try? FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW),
            let status = try? descriptor.status(), status.st_uid == geteuid(), status.st_mode & 0o022 == 0,
            let file = try? SharedMappedFile(descriptor)
        else { return nil }
        guard let parts = parts(file.file), let plan = RulePlan(image: RuleImageBytes(file, parts.image)) else {
            return nil
        }
        plan.adopt(RuleImageBytes(file, parts.compiled))
        return plan
    }

    /// Where the image and the compiled expressions lie.
    private func parts(_ file: borrowing MappedFile) -> (image: Range<Int>, compiled: Range<Int>)? {
        let beginning = RuleCache.magic.count + 8
        guard file.count > beginning, let size = RuleCache.number(file, at: RuleCache.magic.count),
            size >= key.count, size <= file.count - beginning
        else { return nil }
        // The files that the others include stand after these.
        let whole = file.bytes.array(beginning..<(beginning + size))
        guard whole.starts(with: key), RuleCache.areCurrent(whole[key.count...]) else { return nil }
        let start = RuleCache.head(whole, 0).count
        guard file.count > start + 16, (file.count - start) % 32 == 0 else { return nil }
        let checksum = RuleCache.checksum(file.words(at: start, count: (file.count - start) / 8))
        guard file.bytes.array(0..<start) == RuleCache.head(whole, checksum) else { return nil }
        let first = start + 16
        guard let imageSize = RuleCache.number(file, at: start),
            let compiledSize = RuleCache.number(file, at: start + 8),
            imageSize + compiledSize <= file.count - first
        else { return nil }
        let second = first + imageSize
        return (first..<second, second..<(second + compiledSize))
    }

    /// A number that lies within the file, from 0 to the size of the file.
    private static func number(_ file: borrowing MappedFile, at place: Int) -> Int? {
        guard place + 8 <= file.count else { return nil }
        var number: UInt64 = 0
        for offset in 0..<8 { number |= UInt64(file.bytes[place + offset]) << UInt64(offset * 8) }
        return number <= UInt64(file.count) ? Int(number) : nil
    }

    /// Whether the files of some lines are as they were.
    private static func areCurrent(_ lines: ArraySlice<UInt8>) -> Bool {
        lines.split(separator: ASCII.lf).allSatisfy { line in
            guard let end = line.firstIndex(of: ASCII.nul), let now = state(of: PathText.text(Array(line[..<end])))
            else { return false }
            return Array(now.line.utf8).dropLast().elementsEqual(line)
        }
    }

    /// All before the image, a multiple of 8 bytes long.
    private static func head(_ key: [UInt8], _ checksum: UInt64) -> [UInt8] {
        var head = RuleCache.magic + RuleCache.bytes(UInt64(key.count)) + key
        head += Array(repeating: 0, count: -head.count & 7)
        return head + RuleCache.bytes(checksum)
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) }
    }

    /// Four lanes, so that a mebibyte takes a tenth of a millisecond.
    private static func checksum(_ words: Span<UInt64>) -> UInt64 {
        let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
        var (first, second, third, fourth): (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
        var place = 0
        while place &+ 3 < words.count {
            first = (first ^ words[place]) &* factor
            second = (second ^ words[place &+ 1]) &* factor
            third = (third ^ words[place &+ 2]) &* factor
            fourth = (fourth ^ words[place &+ 3]) &* factor
            place &+= 4
        }
        return ((first &* factor ^ second) &* factor ^ third) &* factor ^ fourth
    }

    // MARK: Writing

    /// Keeps a plan. When that cannot be done, the next run is as slow as this one, and nothing else is lost.
    ///
    /// - Parameter included: files that others include.
    func store(_ plan: RulePlan, included: [String]) {
        let states = included.map { RuleCache.state(of: $0)?.line }
        guard states.allSatisfy({ $0 != nil }) else { return }
        let whole = key + states.compactMap { $0 }.joined().utf8
        let image = plan.image
        let compiled = plan.compiledExpressions
        var payload = RuleCache.bytes(UInt64(image.count)) + RuleCache.bytes(UInt64(compiled.count)) + image + compiled
        payload += Array(repeating: 0, count: -payload.count & 31)
        var words: [UInt64] = []
        words.reserveCapacity(payload.count / 8)
        let bytes = payload.span
        for place in stride(from: 0, to: bytes.count, by: 8) {
            words.append(bytes.word(at: place))
        }
        let temporary = "\(path).\(getpid())"
        do throws(SystemError) {
            if let folder = Files.parent(of: path) { try Files.makeDirectory(folder, mode: 0o700, parents: true) }
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.writeAll(RuleCache.head(whole, RuleCache.checksum(words.span)) + payload)
            try file.close()
            try Files.rename(temporary, to: path)
        } catch {
            try? Files.remove(temporary)
        }
    }
}
