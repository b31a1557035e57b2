import Bytes

/// The messages of a maildrop as the session needs to know them, in their order. Kept in few pieces of memory, which
/// several sessions share.
package struct MaildropTable: Equatable, Sendable {
    private var sizes: [Int] = []
    /// All unique ids, one behind the other, and where each ends.
    private var ids: [UInt8] = []
    private var idEnds: [UInt32] = []
    /// The octets of all messages.
    package private(set) var totalOctets = 0

    package init() {}

    package var count: Int { sizes.count }

    package mutating func reserveCapacity(_ count: Int) {
        sizes.reserveCapacity(count)
        idEnds.reserveCapacity(count)
        ids.reserveCapacity(count * 32)
    }

    /// Adds a message.
    ///
    /// - Parameters:
    ///   - octets: as RETR sends them, without doubled dots.
    ///   - uniqueID: 1 to 70 characters from 0x21 to 0x7E (RFC 1939 7).
    package mutating func append(octets: Int, uniqueID: some Sequence<UInt8>) {
        sizes.append(octets)
        ids.append(contentsOf: uniqueID)
        idEnds.append(UInt32(truncatingIfNeeded: ids.count))
        totalOctets += octets
    }

    /// The octets of a message, counted from 0.
    package func octets(_ index: Int) -> Int { sizes[index] }

    /// The unique id of a message, counted from 0.
    package func uniqueID(_ index: Int) -> ArraySlice<UInt8> {
        ids[(index == 0 ? 0 : Int(idEnds[index - 1]))..<Int(idEnds[index])]
    }
}
