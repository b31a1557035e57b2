import CLinux
import Glibc

/// The kernel's random numbers, good enough for secrets.
package enum SystemRandom {
    /// So many bytes, at most 256; nil when the kernel has none.
    package static func bytes(_ count: Int) -> [UInt8]? {
        var result = [UInt8](repeating: 0, count: Swift.min(Swift.max(count, 0), 256))
        // Safe: the count is that of the array; so few bytes come whole.
        return facteur_getrandom(&result, result.count) == result.count ? result : nil
    }
}
