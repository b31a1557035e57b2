import Bytes
import MessageFormat

/// Data that cannot be mail.
enum BinaryData {
    /// No message has its first field later.
    private static let look = 64 << 10

    /// Whether the first 64 KiB are binary and have no header field.
    static func isNoMessage(_ bytes: Span<UInt8>) -> Bool {
        if beginsWithField(bytes, at: 0) { return false }
        if let line = MboxLine(bytes), beginsWithField(bytes, at: line.next) { return false }
        let start = bytes.extracting(0..<min(bytes.count, look))
        var controls = 0
        for index in 0..<start.count {
            let byte = start[index]
            if byte == 0 { controls += 64 }
            if byte < 0x20, byte != ASCII.tab, byte != ASCII.lf, byte != ASCII.cr, byte != ASCII.escape, byte != 0x0C {
                controls += 1
            }
        }
        guard controls * 20 > start.count else { return false }
        let structure = MessageStructure(headerOf: start)
        return !structure.fields(of: 0).contains { field in
            start.array(field.name).allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        }
    }

    /// A name and a colon, as nearly every message has them at the start.
    private static func beginsWithField(_ bytes: Span<UInt8>, at start: Int) -> Bool {
        var place = start
        while place < bytes.count, bytes[place].isASCIIAlphanumeric || bytes[place] == ASCII.dash { place += 1 }
        return place > start && place < bytes.count && bytes[place] == ASCII.colon
    }
}
