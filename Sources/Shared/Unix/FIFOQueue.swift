/// Values of which the first one in is the first one out, in time that does not depend on how many there are.
struct FIFOQueue<Element> {
    private var values: [Element] = []
    /// The values before it have been taken.
    private var next = 0

    var count: Int { values.count - next }

    mutating func append(_ value: Element) { values.append(value) }

    mutating func popFirst() -> Element? {
        guard next < values.count else { return nil }
        let value = values[next]
        next += 1
        if next == values.count {
            values.removeAll(keepingCapacity: true)
            next = 0
        } else if next > 1_024, next * 2 > values.count {
            // A queue that is never empty must not keep what was taken.
            values.removeFirst(next)
            next = 0
        }
        return value
    }
}

extension FIFOQueue: Sendable where Element: Sendable {}
