import Glibc

extension FileDescriptor {
    /// Waits until there is something to read, or the end. False when a signal has asked to stop (`Interruption`).
    package func waitForInput() -> Bool {
        while Interruption.signal == nil {
            var polled = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            if poll(&polled, 1, 1_000) > 0 { return Interruption.signal == nil }
        }
        return false
    }
}
