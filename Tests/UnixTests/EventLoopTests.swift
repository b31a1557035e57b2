import Glibc
import Synchronization
import Testing
import Unix

@Suite("The event loop")
struct EventLoopTests {
    @Test("runs a task and everything it starts on one thread")
    func oneThread() throws {
        let threads = try EventLoop.run { _ in
            await withTaskGroup(of: UInt.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try? await EventLoop.sleep(for: .milliseconds(1))
                        return pthread_self()
                    }
                }
                return await group.reduce(into: Set<UInt>()) { $0.insert($1) }
            }
        }
        #expect(threads == [pthread_self()])
    }

    @Test("timers fire in the order of their deadlines")
    func timers() throws {
        let order = try EventLoop.run { _ in
            await withTaskGroup(of: Int.self) { group in
                for delay in [30, 10, 20, 0, 40] {
                    group.addTask {
                        try? await EventLoop.sleep(for: .milliseconds(delay))
                        return delay
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(order == [0, 10, 20, 30, 40])
    }

    @Test("cancellation ends a sleep at once")
    func cancellation() throws {
        let clock = ContinuousClock.now
        try EventLoop.run { _ in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await EventLoop.sleep(for: .seconds(60)) }
                group.cancelAll()
            }
        }
        #expect(ContinuousClock.now - clock < .seconds(10))
    }

    @Test("file work runs off the loop's thread, in parallel, and throws what it throws")
    func offloading() throws {
        let loopThread = pthread_self()
        let sum = try EventLoop.run { _ in
            await withTaskGroup(of: Int.self) { group in
                for number in 0..<200 {
                    group.addTask { await offload { pthread_self() == loopThread ? -1_000 : number } }
                }
                return await group.reduce(0, +)
            }
        }
        #expect(sum == 19_900)
        #expect(throws: SystemError.self) {
            try EventLoop.run { _ in
                _ = try await offload { () throws(SystemError) in try Files.read("/nonexistent") }
            }
        }
    }

    @Test("a wait ends as timed out, as ready and as cancelled")
    func readiness() throws {
        let outcomes = try EventLoop.run { loop -> [Readiness] in
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0 else { return [] }
            let first = try PolledDescriptor(FileDescriptor(owning: ends[0]))
            let second = FileDescriptor(owning: ends[1])
            var outcomes: [Readiness] = []
            outcomes.append(await first.waitUntilReadable(deadline: loop.deadline(after: .milliseconds(5))))
            try second.writeAll([1])
            outcomes.append(await first.waitUntilReadable(deadline: loop.deadline(after: .seconds(5))))
            var byte: UInt8 = 0
            _ = read(first.number, &byte, 1)
            first.interrupt()
            outcomes.append(
                await first.waitUntilReadable(deadline: loop.deadline(after: .seconds(5)), interruptible: true))
            first.close()
            outcomes.append(await first.waitUntilReadable())
            return outcomes
        }
        #expect(outcomes == [.timedOut, .ready, .interrupted, .cancelled])
    }
}
