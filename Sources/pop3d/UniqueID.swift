import Bytes
import Mailboxes
import OpenSSL

/// Unique ids of messages in a Maildir: the unique part of the name, which stays the same over flags and moves.
enum UniqueID {
    /// The part of a file's name that stays the same: what stands before sizes and flags.
    static func part<Name: BidirectionalCollection>(of name: Name) -> Name.SubSequence where Name.Element == UInt8 {
        let end = name.lastIndex(of: ASCII.colon) ?? name.endIndex
        let base = name[..<end]
        return base[..<(base.firstIndex(of: ASCII.comma) ?? base.endIndex)]
    }

    /// Whether POP3 takes it as it is (RFC 1939 7).
    static func fits(_ id: some Collection<UInt8>) -> Bool {
        // A single dash stands for the name's own id in the index.
        (1...70).contains(id.count) && id.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !id.elementsEqual([ASCII.dash])
    }

    /// The id of a message whose name's part does not fit, or is another message's.
    static func digest(of name: [UInt8], isTaken: Bool) -> [UInt8] {
        guard let digest = try? Digest.hash(.sha256, isTaken ? name : Array(part(of: name))) else {
            return Array(Hexadecimal.encode(Array(name.suffix(35))).utf8)
        }
        return Array(Hexadecimal.encode(digest).utf8)
    }
}
