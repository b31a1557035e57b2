import Glibc
import POP3
import Unix

/// A message that is open: a part of a file, read piece by piece from any thread.
final class MessageFile: Sendable {
    /// Where the message stands in the file.
    let range: Range<Int>
    /// As RETR sends it, without doubled dots.
    let octets: Int
    private let file: FileDescriptor

    init(_ file: consuming FileDescriptor, range: Range<Int>, octets: Int) {
        self.file = file
        self.range = range
        self.octets = octets
    }

    /// The piece at a place of the file; empty at the file's end. Blocks.
    func read(at place: Int, atMost limit: Int) throws(SystemError) -> [UInt8] {
        try file.read(at: place, atMost: limit)
    }

    /// The same when the kernel has it at hand; else nil.
    func readCached(at place: Int, atMost limit: Int) -> [UInt8]? { file.readCached(at: place, atMost: limit) }

    /// The octets of a whole file as RETR sends it. Blocks.
    static func octets(of file: borrowing FileDescriptor) throws(SystemError) -> Int {
        var size = MessageSize()
        var place = 0
        while true {
            let piece = try file.read(at: place, atMost: 262_144)
            if piece.isEmpty { return size.octets }
            size.add(piece.span)
            place += piece.count
        }
    }
}
