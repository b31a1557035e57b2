import CLinux
import Glibc
import Synchronization

/// A value that one thread waits for and another one sets, once.
package final class BlockingValue<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let ready = eventfd(0, Int32(EFD_CLOEXEC))

    package init() {}

    deinit { close(ready) }

    package func set(_ value: Value) {
        self.value.withLock { $0 = value }
        eventfd_write(ready, 1)
    }

    /// Blocks the thread until the value is there.
    package func wait() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            var one: eventfd_t = 0
            eventfd_read(ready, &one)
        }
    }
}
