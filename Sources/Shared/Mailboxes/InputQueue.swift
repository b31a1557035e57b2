import Synchronization

/// Where a worker writes to: what it writes of a stretch stands in the output where the stretch stands in the input.
package final class OrderedPlace: Sendable {
    private let queue: InputQueue
    private let slot = Mutex(0)

    init(_ queue: InputQueue) { self.queue = queue }

    package func write(_ bytes: [UInt8]) { queue.write(bytes, at: slot.withLock { $0 }) }

    func move(to number: Int) { slot.withLock { $0 = number } }
}

/// The input as a line of places: stretches that workers have taken, and between them what gives more. A place's output
/// goes out when everything before it is through.
final class InputQueue: Sendable {
    /// More output than this is not kept for a place that is still at work, in bytes: no more stretches are given then.
    private static let keptOutput = 64 << 20

    private struct Place: Sendable {
        let number: Int
        /// What gives the stretches that stand here; nil for a stretch.
        var generator: InputGenerator?
        var output: [UInt8] = []
        var isThrough = false
        /// Nothing after this place is wanted.
        var isLast = false
    }

    private struct State: Sendable {
        var places: [Place]
        var nextNumber = 1
        var kept = 0
        var isStopped = false
        var isFinished = false
        var failure: (any Error)?
    }

    private let state: Mutex<State>
    private let input: MessageInput
    private let output: (@Sendable ([UInt8]) -> Void)?

    init(_ input: MessageInput, write: (@Sendable ([UInt8]) -> Void)?) {
        self.input = input
        output = write
        state = Mutex(State(places: [Place(number: 0, generator: .files(0..<input.names.count))]))
    }

    /// What a visitor, or reading, has failed with.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// The next stretch, its place, and whether more may follow; nil when there is none now.
    func take() -> (number: Int, stretch: InputStretch, hasMore: Bool)? {
        state.withLock { state in
            while !state.isStopped, state.kept <= Self.keptOutput,
                let index = state.places.firstIndex(where: { $0.generator != nil })
            {
                let stretch = state.places[index].generator?.nextOrProblem(input)
                if stretch?.isLast ?? true { state.places.remove(at: index) }
                guard let stretch else {
                    advance(&state)
                    continue
                }
                let number = state.nextNumber
                state.nextNumber += 1
                state.places.insert(Place(number: number), at: index)
                return (number, stretch, state.places.contains { $0.generator != nil })
            }
            return nil
        }
    }

    /// Puts what was found in a stretch, and the rest of it, behind its place.
    func insert(_ generators: [InputGenerator], after number: Int) {
        state.withLock { state in
            guard let index = state.places.firstIndex(where: { $0.number == number }) else { return }
            var next = index + 1
            for generator in generators {
                state.places.insert(Place(number: state.nextNumber, generator: generator), at: next)
                state.nextNumber += 1
                next += 1
            }
        }
    }

    func write(_ bytes: [UInt8], at number: Int) {
        state.withLock { state in
            guard let output, !state.isFinished, let index = state.places.firstIndex(where: { $0.number == number })
            else { return }
            if index == 0 {
                output(bytes)
            } else {
                state.places[index].output += bytes
                state.kept += bytes.count
            }
        }
    }

    /// A stretch is through. `isLast`: nothing after it is wanted.
    func finish(_ number: Int, isLast: Bool = false) {
        state.withLock { state in
            guard let index = state.places.firstIndex(where: { $0.number == number }) else { return }
            state.places[index].isThrough = true
            state.places[index].isLast = isLast
            if isLast { state.isStopped = true }
            advance(&state)
        }
    }

    /// A stretch has failed: its output so far is the last.
    func fail(_ number: Int, _ error: any Error) {
        state.withLock { $0.failure = $0.failure ?? error }
        finish(number, isLast: true)
    }

    /// Writes out what everything before is through of.
    private func advance(_ state: inout State) {
        while let first = state.places.first, first.generator == nil {
            if !first.output.isEmpty {
                if !state.isFinished { output?(first.output) }
                state.kept -= first.output.count
                state.places[0].output = []
            }
            guard first.isThrough else { return }
            if first.isLast { state.isFinished = true }
            state.places.removeFirst()
        }
    }
}
