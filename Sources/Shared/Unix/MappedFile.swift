import Bytes
import Glibc

/// A file's content mapped read-only into memory, for as long as this value lives.
///
/// A file that another process cuts short while it is mapped raises SIGBUS on access (`MappedFileFault`); mail stores
/// replace files and do not cut them, and `MappedFile` refuses what is no regular file.
package struct MappedFile: ~Copyable, @unchecked Sendable {
    private let base: UnsafeRawPointer?
    private let size: Int

    /// Maps `path`. A directory is EISDIR; what is no regular file is ESPIPE (read it as a stream).
    package init(path: String) throws(SystemError) {
        let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
        try self.init(file)
    }

    /// Maps what is open as `file`; the descriptor may be closed afterwards.
    package init(_ file: borrowing FileDescriptor) throws(SystemError) {
        let mapping = try MappedFile.map(file)
        base = mapping.base
        size = mapping.size
    }

    private static func map(
        _ file: borrowing FileDescriptor
    ) throws(SystemError) -> (base: UnsafeRawPointer?, size: Int) {
        let status = try file.status()
        switch Files.kind(of: status) {
        case .directory: throw SystemError(code: EISDIR, operation: "read", subject: file.subject)
        case .other: throw SystemError(code: ESPIPE, operation: "map", subject: file.subject)
        case .file: break
        }
        let size = Int(status.st_size)
        guard size > 0 else { return (nil, 0) }
        let mapping = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0)
        guard let mapping, mapping != MAP_FAILED else { throw .last("map", file.subject) }
        return (UnsafeRawPointer(mapping), size)
    }

    deinit {
        if let base { munmap(UnsafeMutableRawPointer(mutating: base), size) }
    }

    package var count: Int { size }

    /// The content.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            // Safe: the mapping covers `size` bytes and lives as long as self, which the span borrows.
            let buffer = UnsafeBufferPointer(start: base?.assumingMemoryBound(to: UInt8.self), count: size)
            return _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
        }
    }

    /// `count` floating-point numbers, as they lie at `offset`; empty when they do not lie within the file or not on a
    /// multiple of their size.
    @_lifetime(borrow self)
    package func floats(at offset: Int, count: Int) -> Span<Float> {
        numbers(at: offset, count: count)
    }

    /// `count` words of 64 bits, as they lie at `offset`; empty when they do not lie within the file or not on a
    /// multiple of their size.
    @_lifetime(borrow self)
    package func words(at offset: Int, count: Int) -> Span<UInt64> {
        numbers(at: offset, count: count)
    }

    @_lifetime(borrow self)
    private func numbers<Number: BitwiseCopyable>(at offset: Int, count: Int) -> Span<Number> {
        let stride = MemoryLayout<Number>.stride
        let isWithin =
            offset >= 0 && offset % stride == 0 && offset <= size && count >= 0 && count <= (size - offset) / stride
        // Safe: the range lies within the mapping, which begins on a page; every pattern of bits is a number of the two
        // types above; the span borrows self, which keeps the mapping.
        let start = isWithin ? base.map { ($0 + offset).assumingMemoryBound(to: Number.self) } : nil
        let buffer = UnsafeBufferPointer(start: start, count: start == nil ? 0 : count)
        return _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
    }

    /// Tells the kernel that the content will be read once, front to back.
    package func adviseSequential() {
        if let base { madvise(UnsafeMutableRawPointer(mutating: base), size, MADV_SEQUENTIAL) }
    }

    /// Tells the kernel that the pages within `range` are not needed now: they are read again when they are.
    package func release(_ range: Range<Int>) {
        let range = range.clamped(to: 0..<size)
        let start = (range.lowerBound + 4_095) & ~4_095
        let end = range.upperBound & ~4_095
        if let base, start < end {
            madvise(UnsafeMutableRawPointer(mutating: base) + start, end - start, MADV_DONTNEED)
        }
    }

    /// Tells the kernel that the first `count` bytes are not needed again: memory use of a long scan stays flat.
    package func release(upTo count: Int) {
        let pages = Swift.min(count, size) & ~4095
        if let base, pages > 0 { madvise(UnsafeMutableRawPointer(mutating: base), pages, MADV_DONTNEED) }
    }
}

/// A mapped file that several owners share.
package final class SharedMappedFile: Sendable {
    package let file: MappedFile

    /// Maps `path`, as `MappedFile` does.
    package init(path: String) throws(SystemError) { file = try MappedFile(path: path) }
    /// Maps what is open as `file`; the descriptor may be closed afterwards.
    package init(_ file: borrowing FileDescriptor) throws(SystemError) { self.file = try MappedFile(file) }

    package var count: Int { file.count }
}
