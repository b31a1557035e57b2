/// The orders in which lessons are taken: the same for the same count, on every machine (xorshift64*).
package struct LessonOrder {
    private var state: UInt64

    init(count: Int) { state = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count) }

    mutating func shuffle<Element>(_ order: inout [Element]) {
        guard order.count > 1 else { return }
        for last in stride(from: order.count - 1, to: 0, by: -1) {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            let random = (state &* 0x2545_F491_4F6C_DD1D) >> 32
            order.swapAt(last, Int(random % UInt64(last + 1)))
        }
    }

    /// The elements in an order that depends on nothing but their count.
    package static func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var order = LessonOrder(count: elements.count)
        var result = elements
        order.shuffle(&result)
        return result
    }
}
