import Glibc
import Synchronization

/// Open converters of the C library to UTF-8, kept for the next text of the same charset: opening one costs many times what
/// a short text does.
enum Iconv {
    private struct State {
        /// Handles that nobody uses, by the name of the charset; none for a charset that the library does not know.
        var idle: [String: [Handle]?] = [:]
    }

    private static let state = Mutex(State())
    /// Hostile mail can name many charsets.
    private static let mostNames = 128
    private static let mostIdle = 4

    /// An open converter, in the hands of one thread at a time.
    final class Handle: @unchecked Sendable {
        // Safe: whoever takes the handle out of the list is the only one to use it until it is put back.
        fileprivate let converter: iconv_t
        fileprivate let name: String

        fileprivate init?(_ name: String) {
            guard let converter = iconv_open("UTF-8", name), Int(bitPattern: converter) != -1 else { return nil }
            self.converter = converter
            self.name = name
        }

        deinit { iconv_close(converter) }

        /// Back to the state that a text begins in.
        func reset() { iconv(converter, nil, nil, nil, nil) }

        /// Converts some of `left` bytes at `place`, both of which move, into `output`; without a place, what is left of a
        /// character that was kept back. Returns how many bytes were written, and why it stopped (0 at the end).
        func step(
            _ place: inout UnsafeMutablePointer<CChar>?, _ left: inout Int, _ output: UnsafeMutableBufferPointer<CChar>,
            isFlushing: Bool
        ) -> (written: Int, code: Int32) {
            var target = output.baseAddress
            var room = output.count
            errno = 0
            // Safe: iconv reads and writes only within the counts, which it keeps up to date with the pointers.
            let status =
                isFlushing
                ? iconv(converter, nil, nil, &target, &room) : iconv(converter, &place, &left, &target, &room)
            return (output.count - room, status == -1 ? errno : 0)
        }
    }

    /// A converter; nil when the C library does not know the charset.
    static func take(_ name: String) -> Handle? {
        let known: Handle?? = state.withLock { state in
            guard let list = state.idle[name] else { return .none }
            guard list != nil else { return .some(nil) }
            return state.idle[name]??.popLast().map { .some($0) }
        }
        if let known { return known }
        let handle = Handle(name)
        if handle == nil { remember(name, nil) }
        return handle
    }

    /// Puts a converter back, for the next one to take.
    static func put(_ handle: Handle) { remember(handle.name, handle) }

    private static func remember(_ name: String, _ handle: Handle?) {
        state.withLock { state in
            if state.idle.count >= mostNames, state.idle[name] == nil { state.idle.removeAll() }
            guard let handle else {
                state.idle[name] = .some(nil)
                return
            }
            var list = (state.idle[name] ?? nil) ?? []
            if list.count < mostIdle { list.append(handle) }
            state.idle[name] = .some(list)
        }
    }
}
