/// An action of the event loop at an instant. Touched on the loop's thread only.
final class LoopTimer: @unchecked Sendable {
    fileprivate(set) var deadline: UInt64 = 0
    fileprivate var place = -1
    /// Called once, with true when the time has come, false when it was ended before.
    var action: ((Bool) -> Void)?

    var isScheduled: Bool { place >= 0 }

    func fire() { end(true) }

    func end(_ expired: Bool) {
        let action = self.action
        self.action = nil
        action?(expired)
    }
}

/// A binary heap of timers by deadline from which any timer can be removed.
struct TimerHeap {
    private var timers: [LoopTimer] = []

    var earliest: UInt64? { timers.first?.deadline }

    mutating func schedule(_ timer: LoopTimer, at deadline: UInt64) {
        remove(timer)
        timer.deadline = deadline
        timer.place = timers.count
        timers.append(timer)
        rise(timer.place)
    }

    mutating func remove(_ timer: LoopTimer) {
        let place = timer.place
        guard place >= 0 else { return }
        timer.place = -1
        let last = timers.removeLast()
        guard place < timers.count else { return }
        put(last, at: place)
        rise(place)
        sink(last.place)
    }

    mutating func popExpired(at now: UInt64) -> LoopTimer? {
        guard let first = timers.first, first.deadline <= now else { return nil }
        remove(first)
        return first
    }

    private mutating func put(_ timer: LoopTimer, at place: Int) {
        timers[place] = timer
        timer.place = place
    }

    private mutating func rise(_ start: Int) {
        var place = start
        let timer = timers[place]
        while place > 0 {
            let parent = (place - 1) / 2
            if timers[parent].deadline <= timer.deadline { break }
            put(timers[parent], at: place)
            place = parent
        }
        put(timer, at: place)
    }

    private mutating func sink(_ start: Int) {
        var place = start
        let timer = timers[place]
        while true {
            var child = 2 * place + 1
            if child >= timers.count { break }
            if child + 1 < timers.count, timers[child + 1].deadline < timers[child].deadline { child += 1 }
            if timers[child].deadline >= timer.deadline { break }
            put(timers[child], at: place)
            place = child
        }
        put(timer, at: place)
    }
}

/// An action at an instant of the loop's clock that can be set anew. On the loop's thread only.
package final class Alarm {
    private let loop: EventLoop
    private let timer = LoopTimer()
    private let action: () -> Void

    package init(on loop: EventLoop, _ action: @escaping () -> Void) {
        self.loop = loop
        self.action = action
    }

    deinit { loop.cancel(timer) }

    /// When it goes off; nil when it is not set.
    package var instant: UInt64? { timer.isScheduled ? timer.deadline : nil }

    /// Sets it to `instant`, in place of the one that was set.
    package func set(at instant: UInt64) {
        timer.action = { [unowned self] expired in if expired { action() } }
        loop.schedule(timer, at: instant)
    }

    /// It does not go off.
    package func cancel() { loop.cancel(timer) }
}
