import Bytes
import Glibc
import Mailboxes
import POP3
import Unix

/// What a Maildir held when it was looked at: names, sizes and unique ids in their order, in few pieces of memory.
struct MaildirSnapshot: Sendable {
    /// What tells whether a directory has changed since: any file that comes, goes or is renamed changes it.
    struct Stamp: Equatable, Sendable {
        let inode: Int
        let seconds: Int
        let nanoseconds: Int

        init(inode: Int, seconds: Int, nanoseconds: Int) {
            self.inode = inode
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        init(_ directory: Directory) throws(SystemError) {
            let status = try directory.status()
            self.init(
                inode: Int(truncatingIfNeeded: status.st_ino), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec)
        }

        /// Whether a change after the look at the directory is sure to give another stamp: clocks of file systems tick
        /// slowly, some of them once in two seconds.
        func isSettled(at now: (seconds: Int, microseconds: Int)) -> Bool {
            let age = (now.seconds - seconds) * 1_000 + now.microseconds / 1_000 - nanoseconds / 1_000_000
            return age > (nanoseconds == 0 ? 2_500 : 100)
        }
    }

    var new: Stamp
    var cur: Stamp
    private(set) var table = MaildropTable()
    private(set) var fileSizes: [Int] = []
    private var isInNew: [Bool] = []
    private var names: [UInt8] = []
    private var nameEnds: [UInt32] = []

    init(new: Stamp, cur: Stamp) {
        self.new = new
        self.cur = cur
    }

    var count: Int { fileSizes.count }

    mutating func reserveCapacity(_ count: Int) {
        table.reserveCapacity(count)
        fileSizes.reserveCapacity(count)
        isInNew.reserveCapacity(count)
        names.reserveCapacity(count * 48)
        nameEnds.reserveCapacity(count)
    }

    mutating func append(
        _ name: some Sequence<UInt8>, in folder: Maildir.Folder, fileSize: Int, octets: Int,
        uniqueID: some Sequence<UInt8>
    ) {
        names.append(contentsOf: name)
        nameEnds.append(UInt32(truncatingIfNeeded: names.count))
        isInNew.append(folder == .new)
        fileSizes.append(fileSize)
        table.append(octets: octets, uniqueID: uniqueID)
    }

    func name(_ index: Int) -> ArraySlice<UInt8> {
        names[(index == 0 ? 0 : Int(nameEnds[index - 1]))..<Int(nameEnds[index])]
    }

    func folder(_ index: Int) -> Maildir.Folder { isInNew[index] ? .new : .cur }
}
