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

    private final class LineRecord: Sendable {
        let state = Mutex((begun: 0, served: 0))
    }

    @Test("a long line is served to its last")
    func longLine() async {
        let slots = Slots(1)
        let record = LineRecord()
        let slot = await slots.take()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3_000 {
                group.addTask {
                    record.state.withLock { $0.begun += 1 }
                    let slot = await slots.take()
                    record.state.withLock { $0.served += 1 }
                    slots.give(slot)
                }
            }
            while record.state.withLock({ $0.begun }) < 3_000 { await Task.yield() }
            slots.give(slot)
        }
        record.state.withLock { #expect($0.served == 3_000) }
    }
}
