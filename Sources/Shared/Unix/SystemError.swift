import Glibc

/// A system call that failed: which operation, on what, and the `errno` of it.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The `errno` value.
    package let code: Int32
    /// What was tried, as a verb phrase: `open`, `write to`, `rename`.
    package let operation: String
    /// What it was tried on: a path, an address. May be empty.
    package let subject: String

    package init(code: Int32, operation: String, subject: String = "") {
        self.code = code
        self.operation = operation
        self.subject = subject
    }

    /// The error of the system call that has just failed.
    package static func last(_ operation: String, _ subject: String = "") -> SystemError {
        SystemError(code: errno, operation: operation, subject: subject)
    }

    /// The reason alone, as `strerror` words it.
    package var reason: String {
        var buffer = [CChar](repeating: 0, count: 256)
        // Safe: strerror_r writes at most the count it is given, with its NUL.
        return strerror_r(code, &buffer, buffer.count) == 0
            ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            : "error \(code)"
    }

    package var description: String {
        subject.isEmpty ? "cannot \(operation): \(reason)" : "cannot \(operation) \(subject): \(reason)"
    }

    /// True for errors that say that this machine has no way to an address: no such network or family here.
    package var isNoRoute: Bool { code == ENETUNREACH || code == EADDRNOTAVAIL || code == EAFNOSUPPORT }

    /// True for errors that say that no more files can be open.
    package var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }

    /// True for errors that say that the disk or the file's quota is full.
    package var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }
}
