import Synchronization
import Testing
import Unix

@Suite("Slots")
struct SlotsTests {
    private final class Record: Sendable {
        let state = Mutex((busy: Set<Int>(), most: 0, done: 0))
    }

    @Test("no more than so many have a place at a time, nobody is forgotten, and two never have the same")
    func limit() async {
        let slots = Slots(3)
        let record = Record()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    let slot = await slots.take()
                    let isNew = record.state.withLock { state in
                        defer { state.most = max(state.most, state.busy.count) }
                        return state.busy.insert(slot).inserted
                    }
                    #expect(isNew && (0..<3).contains(slot))
                    await Task.yield()
                    record.state.withLock { state in
                        state.busy.remove(slot)
                        state.done += 1
                    }
                    slots.give(slot)
                }
            }
        }
        record.state.withLock { #expect($0.most <= 3 && $0.done == 200) }
    }
}
