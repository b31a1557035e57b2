import Bytes
import DNS
import Synchronization

/// What texts of records were read as; each text is read once, and no more than a set number are kept.
final class TextCache<Value: Sendable>: Sendable {
    /// A text as a key: hashed all at once.
    private struct Key: Hashable {
        let bytes: [UInt8]

        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private let values = Mutex<[Key: Value]>([:])
    private static var limit: Int { 4_096 }

    /// What is known of a text, or what `read` makes of it.
    func value(_ text: [UInt8], _ read: ([UInt8]) -> Value) -> Value {
        let key = Key(bytes: text)
        if let known = values.withLock({ $0[key] }) { return known }
        let value = read(text)
        values.withLock { values in
            if values.count >= TextCache.limit { values.removeAll(keepingCapacity: true) }
            values[key] = value
        }
        return value
    }
}

/// What was found out about names, each for as long as the answers hold, and no more than a set number of them.
final class LimitedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let values = Mutex<[Key: (value: Value, lifetime: KnownAnswer.Lifetime)]>([:])
    private static var limit: Int { 4_096 }

    func value(_ key: Key) -> Value? {
        values.withLock { values in
            guard let found = values[key], found.lifetime.contains(.now) else { return nil }
            return found.value
        }
    }

    func keep(_ value: Value, _ key: Key, _ lifetime: KnownAnswer.Lifetime) {
        if lifetime == .over { return }
        values.withLock { values in
            if values.count >= LimitedCache.limit { values.removeAll(keepingCapacity: true) }
            values[key] = (value, lifetime)
        }
    }
}
