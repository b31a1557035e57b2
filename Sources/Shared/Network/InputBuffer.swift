import Bytes

/// Bytes that have come in and wait to be taken, front to back. Holds no memory while it is empty.
package struct InputBuffer: Sendable {
    private var storage: [UInt8] = []
    private var start = 0

    package init() {}

    package var count: Int { storage.count - start }
    package var isEmpty: Bool { count == 0 }

    /// What has not been taken yet.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { storage.span.extracting(start..<storage.count) }
    }

    /// Takes away the first `count` bytes (all, when there are fewer).
    package mutating func consume(_ count: Int) {
        start += Swift.min(count, self.count)
        if start == storage.count {
            removeAll()
        } else if start > 65_536, start * 2 > storage.count {
            storage.removeFirst(start)
            start = 0
        }
    }

    /// Takes out everything.
    package mutating func takeAll() -> [UInt8] {
        let all = start == 0 ? storage : Array(storage[start...])
        removeAll()
        return all
    }

    package mutating func removeAll() {
        storage = []
        start = 0
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) { storage.append(contentsOf: bytes) }
    package mutating func append(_ bytes: [UInt8]) {
        if isEmpty {
            storage = bytes
            start = 0
        } else {
            storage.append(contentsOf: bytes)
        }
    }
}
