import CLinux
import Glibc
import Synchronization

/// Signals as something to wait for on the event loop.
package final class SignalQueue: Sendable {
    private let descriptor: PolledDescriptor

    /// Blocks `signals` for the whole process and takes them in from here. Call on the loop, before threads are made.
    package init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let number = signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        guard number >= 0 else { throw .last("watch", "signals") }
        descriptor = try PolledDescriptor(FileDescriptor(owning: number, subject: "signals"))
    }

    /// The next signal; nil when the task is cancelled.
    package func next() async -> Int32? {
        while true {
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            let count = retryingOnInterrupt { Glibc.read(descriptor.number, &info, size) }
            if count == size { return Int32(info.ssi_signo) }
            guard await descriptor.waitUntilReadable() == .ready else { return nil }
        }
    }
}

/// Ctrl-C and its like for tools that work through input: a flag that is looked at between two steps.
package enum Interruption {
    private static let flag = Atomic<Int32>(0)

    /// Lets SIGINT, SIGTERM and SIGHUP set the flag instead of ending the process; a second one ends it at once.
    package static func catchSignals() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            Interruption.flag.store(number, ordering: .relaxed)
        }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &action, nil) }
    }

    /// The signal that asked to stop, or nil.
    package static var signal: Int32? {
        let value = flag.load(ordering: .relaxed)
        return value == 0 ? nil : value
    }
}
