import Bytes
import Synchronization
import Unix

/// A pipe or device: a stream of messages is read message by message; anything else is one message.
final class StreamReader: Sendable {
    struct Item: Sendable {
        let index: Int
        let envelope: [UInt8]?
        var bytes: [UInt8] = []
    }

    struct Batch: Sendable {
        let file: String
        let items: [Item]
    }

    private struct State: Sendable {
        var buffer: [UInt8] = []
        var finder: MessageFinder?
        var isBegun = false
        var atEnd = false
        var isDone = false
        var index = 0
        var item: Item?
    }

    private static let step = 256 << 10
    private static let itemsAtOnce = 256

    private let name: String
    private let file: FileDescriptor
    private let isMbox: Bool
    private let state: Mutex<State>

    /// `start` is what was read of the file before.
    init(_ name: String, _ file: consuming FileDescriptor, isMbox: Bool, start: [UInt8] = []) {
        self.name = name
        self.file = file
        self.isMbox = isMbox
        state = Mutex(State(buffer: start))
    }

    /// The next messages, when there is at least one; nil at the end.
    func next(only: Int?) throws(InputProblem) -> Batch? {
        try state.withLock { state throws(InputProblem) in try next(&state, only) }
    }

    private func next(_ state: inout State, _ only: Int?) throws(InputProblem) -> Batch? {
        if state.isDone { return nil }
        if !state.isBegun { try begin(&state) }
        guard state.finder != nil else {
            while try read(&state, max(65_536, min(state.buffer.count, 16 << 20))) > 0 {}
            state.isDone = true
            let item = Item(index: 0, envelope: nil, bytes: state.buffer)
            state.buffer = []
            return only ?? 0 == 0 ? Batch(file: name, items: [item]) : nil
        }
        var items: [Item] = []
        while items.isEmpty, !state.isDone {
            try find(&items, &state, only)
            if state.isDone || !items.isEmpty { break }
            if state.atEnd {
                state.isDone = true
                break
            }
            state.buffer.removeFirst(state.finder?.consumed ?? 0)
            state.finder?.dropConsumed()
            state.atEnd = try read(&state, Self.step) == 0
        }
        return items.isEmpty ? nil : Batch(file: name, items: items)
    }

    private func read(_ state: inout State, _ limit: Int) throws(InputProblem) -> Int {
        do throws(SystemError) {
            return try file.read(into: &state.buffer, atMost: limit)
        } catch {
            throw InputProblem(file: name, kind: .unreadable, reason: "cannot be read: \(error.reason)")
        }
    }

    private func begin(_ state: inout State) throws(InputProblem) {
        state.isBegun = true
        while state.buffer.count < 10 {
            if try read(&state, 65_536) == 0 { break }
        }
        let start = state.buffer
        state.finder = MessageFinder(start.span, isMbox: isMbox)?.settled(by: start.span, isWhole: false)
    }

    /// Takes the complete messages that the buffer holds.
    private func find(_ items: inout [Item], _ state: inout State, _ only: Int?) throws(InputProblem) {
        let buffer = state.buffer
        while items.count < Self.itemsAtOnce,
            let event = try state.finder?.next(in: buffer.span, isFinal: state.atEnd, name)
        {
            switch event {
            case .begin(let envelope):
                state.item = Item(index: state.index, envelope: envelope.map { buffer.span.array($0) })
                state.index += 1
            case .content(let range):
                if let only, state.item?.index != only { continue }
                state.item?.bytes.append(span: buffer.span.extracting(range))
            case .end:
                guard let item = state.item else { continue }
                state.item = nil
                if let only, item.index != only { continue }
                items.append(item)
                if only != nil {
                    state.isDone = true
                    return
                }
            case .wait: state.finder?.waitForContent()
            }
        }
    }
}
