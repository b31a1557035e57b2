import Bytes
import Glibc
import Mailboxes
import POP3
import Unix

/// The file in which a Maildir's snapshot is kept between sessions. It is a cache and nothing else: it is believed only
/// while the directories are as they were, and may be removed at any time.
///
///     facteur-pop3d-index 1 <inode, seconds, nanoseconds of new/> <the same of cur/> <messages>
///     n 4096 4150 - 1700000000.M1P2Q3.host      folder, size of the file, octets, unique id if not from the name, name
///     end
enum MaildirIndex {
    private static let magic = Array("facteur-pop3d-index 1".utf8)
    private static let name = Array("pop3d.index".utf8)
    private static let sizeLimit = 256 << 20

    /// The snapshot of the file; nil when there is none or it cannot be read.
    static func read(in directory: Directory) -> MaildirSnapshot? {
        guard let file = try? directory.open(name, O_RDONLY | O_NONBLOCK), let status = try? file.status(),
            Files.kind(of: status) == .file, let bytes = try? file.readAll(limit: sizeLimit)
        else { return nil }
        return parse(bytes.span)
    }

    static func parse(_ bytes: Span<UInt8>) -> MaildirSnapshot? {
        guard bytes.count > magic.count, bytes.array(0..<magic.count) == magic else { return nil }
        var cursor = Cursor(place: magic.count)
        var header: [Int] = []
        for _ in 0..<7 {
            guard let number = cursor.number(bytes, after: ASCII.space) else { return nil }
            header.append(number)
        }
        guard cursor.skip(ASCII.lf, bytes), header[6] <= bytes.count / 8 else { return nil }
        var snapshot = MaildirSnapshot(
            new: .init(inode: header[0], seconds: header[1], nanoseconds: header[2]),
            cur: .init(inode: header[3], seconds: header[4], nanoseconds: header[5]))
        snapshot.reserveCapacity(header[6])
        for _ in 0..<header[6] {
            guard cursor.message(bytes, into: &snapshot) else { return nil }
        }
        return bytes.matches("end\n", at: cursor.place) && cursor.place + 4 == bytes.count ? snapshot : nil
    }

    /// A place in the file, and what is read from there.
    private struct Cursor {
        var place: Int

        mutating func skip(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
            guard place < bytes.count, bytes[place] == byte else { return false }
            place += 1
            return true
        }

        mutating func number(_ bytes: Span<UInt8>, after separator: UInt8) -> Int? {
            guard skip(separator, bytes) else { return nil }
            let start = place
            var value = 0
            while place < bytes.count, bytes[place].isASCIIDigit, place - start < 18 {
                value = value &* 10 &+ Int(bytes[place] &- ASCII.zero)
                place += 1
            }
            return place > start ? value : nil
        }

        mutating func message(_ bytes: Span<UInt8>, into snapshot: inout MaildirSnapshot) -> Bool {
            guard place < bytes.count else { return false }
            let folder: Maildir.Folder
            switch bytes[place] {
            case UInt8(ascii: "n"): folder = .new
            case UInt8(ascii: "c"): folder = .cur
            default: return false
            }
            place += 1
            guard let size = number(bytes, after: ASCII.space), let octets = number(bytes, after: ASCII.space),
                skip(ASCII.space, bytes), let end = bytes.firstIndex(of: ASCII.lf, from: place),
                let space = bytes.firstIndex(of: ASCII.space, in: place..<end)
            else { return false }
            let id = bytes.array(place..<space)
            let name = bytes.array(space + 1..<end)
            guard !name.isEmpty, !name.contains(ASCII.slash), !name.contains(ASCII.nul) else { return false }
            place = end + 1
            if id == [ASCII.dash] {
                let unique = UniqueID.part(of: name)
                guard UniqueID.fits(unique) else { return false }
                snapshot.append(name, in: folder, fileSize: size, octets: octets, uniqueID: unique)
            } else {
                guard UniqueID.fits(id[...]) else { return false }
                snapshot.append(name, in: folder, fileSize: size, octets: octets, uniqueID: id)
            }
            return true
        }
    }

    /// Writes the file, whole or not at all. A Maildir that cannot be written to has none.
    static func write(_ snapshot: MaildirSnapshot, in directory: Directory) {
        var text = magic
        text.reserveCapacity(snapshot.count * 80 + 200)
        for stamp in [snapshot.new, snapshot.cur] {
            text += Array(" \(stamp.inode) \(stamp.seconds) \(stamp.nanoseconds)".utf8)
        }
        text += Array(" \(snapshot.count)\n".utf8)
        for index in 0..<snapshot.count {
            let name = snapshot.name(index)
            // A name with a line end cannot stand in a line.
            guard !name.contains(ASCII.lf) else { return }
            text.append(snapshot.folder(index) == .new ? UInt8(ascii: "n") : UInt8(ascii: "c"))
            for number in [snapshot.fileSizes[index], snapshot.table.octets(index)] {
                text.append(ASCII.space)
                text.append(decimal: number)
            }
            text.append(ASCII.space)
            let id = snapshot.table.uniqueID(index)
            if id.elementsEqual(UniqueID.part(of: name)) { text.append(ASCII.dash) } else { text += id }
            text.append(ASCII.space)
            text += name
            text.append(ASCII.lf)
        }
        text += Array("end\n".utf8)
        let temporary = name + Array(".\(getpid()).tmp".utf8)
        do throws(SystemError) {
            // One that a killed process has left is in the way.
            try? directory.remove(temporary)
            let file = try directory.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try file.writeAll(text)
            try file.close()
            try directory.replace(name, by: temporary)
        } catch {
            try? directory.remove(temporary)
        }
    }
}
