/// Data in the zlib format (RFC 1950), by the system's libz, loaded at first use.
package struct Zlib: Sendable {
    package enum Failure: Error, Equatable {
        /// The system has no libz.
        case missing
        /// Not zlib data, or cut short.
        case damaged
        /// More than the limit comes out of it.
        case tooLarge
    }

    private typealias Uncompress =
        @convention(c) (
            UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt>, UnsafePointer<UInt8>?, UInt
        ) -> Int32

    private static let uncompress: Uncompress? =
        LoadedLibrary(["libz.so.1", "libz.so"])?.symbol("uncompress", as: Uncompress.self)

    /// Z_BUF_ERROR: the room does not suffice, or the data end too early.
    private static let noRoom: Int32 = -5

    /// What `data` says, at most `limit` bytes: memory and time are bounded by it.
    package static func inflate(_ data: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        guard let uncompress else { throw .missing }
        var room = min(limit, max(4_096, data.count &* 4))
        while true {
            var result = [UInt8](repeating: 0, count: room)
            var count = UInt(room)
            // Safe: the counts are those of the arrays, and libz writes at most the one that it is given.
            let status = uncompress(&result, &count, data, UInt(data.count))
            if status == 0, count <= UInt(room) {
                result.removeLast(room - Int(count))
                return result
            }
            guard status == noRoom else { throw .damaged }
            // Data cut short look the same as too little room: room that was not filled tells them apart.
            if count < UInt(room) { throw .damaged }
            if room >= limit { throw .tooLarge }
            room = min(limit, room &* 4)
        }
    }
}
