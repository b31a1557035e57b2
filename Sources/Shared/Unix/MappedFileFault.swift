import Glibc

/// What happens when a mapped file is cut short by another process, or its disk fails, while it is being read: the kernel
/// raises SIGBUS, and what would have been read there cannot be had. The process ends with a message in place of a core.
package enum MappedFileFault {
    /// Makes such a fault end the process with `code`, after writing `message` and a line end to standard error.
    package static func endProcess(message: String, code: Int32) {
        let text = Array("\(message)\n".utf8)
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: text.count)
        copy.initialize(from: text, count: text.count)
        faultMessage = (UnsafeRawPointer(copy), text.count, code)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            // Nothing but calls that are allowed in a handler (signal-safety(7)).
            if let text = faultMessage.text { _ = write(STDERR_FILENO, text, faultMessage.count) }
            _exit(faultMessage.code)
        }
        sigaction(SIGBUS, &action, nil)
    }
}

/// Written once, before there is more than one thread; never freed.
nonisolated(unsafe) private var faultMessage: (text: UnsafeRawPointer?, count: Int, code: Int32) = (nil, 0, 0)
