import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// Batch SMTP that is to go on: a copy of it without the `QUIT` at its end.
struct BatchCopy {
    /// What tells whether another program has written to the file since.
    let stamp: String
    /// Where the next command goes.
    let end: Int

    /// Copies the file `path` to the start of `target`. What is no batch SMTP, or ends within a message, is refused.
    init(of path: String, to target: borrowing FileDescriptor) throws {
        do {
            let source = try FileDescriptor.open(path, O_RDONLY)
            stamp = Self.stamp(of: try source.status())
            var scanner = BatchScanner()
            var buffer: [UInt8] = []
            var last: [UInt8] = []
            var place = 0
            var isFinal = false
            while !isFinal {
                isFinal = try source.read(into: &buffer, atMost: 256 << 10) == 0
                let bytes = buffer
                if place == 0, !BatchScanner.begins(bytes.span) { throw Self.refusal(path, "is no batch SMTP") }
                while scanner.next(in: bytes.span, isFinal: isFinal) != nil {}
                let count = scanner.consumed
                try target.writeAll(bytes.span.extracting(0..<count))
                last = Array((last + bytes[max(0, count - 8)..<count]).suffix(8))
                place += count
                buffer = Array(bytes[count...])
                scanner.dropConsumed()
            }
            if scanner.isCutOff { throw Self.refusal(path, "ends within a message") }
            end = place - Self.quitLength(last)
            try target.truncate(to: end)
            try target.seek(to: end)
        } catch let error as SystemError {
            throw DestinationFailure.cannotCreate(path, error)
        }
    }

    private static func refusal(_ path: String, _ what: String) -> ToolFailure {
        ToolFailure(.dataError, "\(path): \(what): nothing was appended: name a new file")
    }

    /// The bytes of a last line `QUIT` with its line end, and of a line end that is missing before it none.
    private static func quitLength(_ last: [UInt8]) -> Int {
        let line = last.reversed().drop { $0 == ASCII.lf || $0 == ASCII.cr }.prefix { $0 != ASCII.lf }
        guard line.reversed().map(\.asciiUppercased) == Array("QUIT".utf8) else { return 0 }
        return last.reversed().prefix { $0 == ASCII.lf || $0 == ASCII.cr }.count + line.count
    }

    static func stamp(of status: stat) -> String {
        "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
    }
}
