import CLinux
import Glibc

extension FileDescriptor {
    /// Sets the times of last access and change of content, in seconds since 1970 (futimens(2)).
    package func setTimes(_ seconds: Int) throws(SystemError) {
        let time = timespec(tv_sec: seconds, tv_nsec: 0)
        let code = withUnsafeBytes(of: (time, time)) { raw in
            // Safe: futimens reads exactly the two values of the pair.
            futimens(number, raw.assumingMemoryBound(to: timespec.self).baseAddress)
        }
        guard code == 0 else { throw .last("set the time of", subject) }
    }

    /// Reads up to `limit` bytes at an absolute place, without moving the file's own (pread(2)); fewer only at the
    /// end of the file.
    package func read(at offset: Int, atMost limit: Int) throws(SystemError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = buffer.withUnsafeMutableBytes { bytes -> Int in
                // Safe: `limit - filled` bytes lie behind `filled`.
                guard let base = bytes.baseAddress else { return 0 }
                return retryingOnInterrupt { pread(number, base + filled, limit - filled, offset + filled) }
            }
            guard count >= 0 else { throw .last("read", subject) }
            if count == 0 { break }
            filled += count
        }
        buffer.removeLast(limit - filled)
        return buffer
    }

    /// Reads over the bytes of `buffer`, at most `limit` of them, with one call: fewer are no sign of the end, but for a
    /// regular file whose size is known. Returns how many.
    package func readOnce(over buffer: inout [UInt8], atMost limit: Int = .max) throws(SystemError) -> Int {
        let count = buffer.withUnsafeMutableBytes { bytes -> Int in
            // Safe: the pointer is that of the buffer, the count not larger than its own.
            retryingOnInterrupt { Glibc.read(number, bytes.baseAddress, Swift.min(bytes.count, limit)) }
        }
        guard count >= 0 else { throw .last("read", subject) }
        return count
    }

    /// Reads up to `limit` bytes over those of `buffer` from `start` on; fewer only at the end of the file or of the
    /// buffer. Returns how many.
    package func read(over buffer: inout [UInt8], from start: Int, atMost limit: Int) throws(SystemError) -> Int {
        let start = Swift.max(start, 0)
        let end = Swift.min(buffer.count, start + Swift.max(limit, 0))
        var place = start
        while place < end {
            let count = buffer.withUnsafeMutableBytes { bytes -> Int in
                // Safe: `place..<end` lies within the buffer.
                guard let base = bytes.baseAddress else { return 0 }
                return retryingOnInterrupt { Glibc.read(number, base + place, end - place) }
            }
            guard count >= 0 else { throw .last("read", subject) }
            if count == 0 { break }
            place += count
        }
        return Swift.max(place - start, 0)
    }

    /// Reads up to `limit` bytes at an absolute place when the kernel has them at hand; nil when it would have to wait
    /// for a disk, or fails.
    package func readCached(at offset: Int, atMost limit: Int) -> [UInt8]? {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
            // Safe: the buffer has `limit` bytes, and as many are said to be filled as were read.
            result = retryingOnInterrupt { facteur_pread_cached(number, buffer.baseAddress, limit, offset) }
            filled = Swift.max(0, result)
        }
        return result > 0 ? bytes : nil
    }

    /// Writes all of `bytes` at an absolute place, without moving the file's own (pwrite(2)).
    package func writeAll(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw -> Int in
                // Safe: `count - written` bytes lie behind `written`.
                guard let base = raw.baseAddress else { return 0 }
                return retryingOnInterrupt {
                    pwrite(number, base + written, raw.count - written, offset + written)
                }
            }
            guard count >= 0 else { throw .last("write to", subject) }
            written += count
        }
    }
}
