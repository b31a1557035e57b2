import Bytes
import Glibc
import Synchronization
import TestSupport
import Testing
import Unix

@Suite("Files and locks")
struct FilesTests {
    @Test("a durable write replaces the whole content and leaves no temporary")
    func durable() throws {
        let folder = try TestDirectory()
        let path = folder.file("f")
        try Files.writeDurably(path, Array("one".utf8))
        try Files.writeDurably(path, Array("two, longer".utf8))
        #expect(try Files.read(path).text == "two, longer")
        #expect(folder.names() == ["f"])
    }

    @Test("a mapped file shows its bytes; a directory and a device are refused")
    func mapping() throws {
        let folder = try TestDirectory()
        let file = try MappedFile(path: try folder.write("m", "hello"))
        #expect(file.bytes.array.text == "hello")
        #expect(try MappedFile(path: folder.write("empty", "")).count == 0)
        #expect(throws: SystemError(code: EISDIR, operation: "read", subject: folder.path)) {
            _ = try MappedFile(path: folder.path)
        }
        #expect(throws: SystemError.self) { _ = try MappedFile(path: "/dev/null") }
    }

    @Test("renaming without replacing refuses what is there")
    func renaming() throws {
        let folder = try TestDirectory()
        try folder.write("a", "1")
        try folder.write("b", "2")
        #expect(throws: SystemError.self) {
            try Files.renameWithoutReplacing(folder.file("a"), to: folder.file("b"))
        }
        try Files.renameWithoutReplacing(folder.file("a"), to: folder.file("c"))
        #expect(folder.names() == ["b", "c"])
    }

    @Test("directories are made with their parents and removed with their content, links not followed")
    func trees() throws {
        let folder = try TestDirectory()
        try Files.makeDirectory(folder.file("x/y/z"), parents: true)
        try Files.makeDirectory(folder.file("x/y/z"), parents: true)
        try folder.write("x/y/file", "1")
        try folder.write("kept/file", "1")
        symlink(folder.file("kept"), folder.file("x/link"))
        try Files.removeTree(folder.file("x"))
        #expect(folder.names() == ["kept"] && folder.names("kept") == ["file"])
        #expect(throws: SystemError.self) { try Files.makeDirectory(folder.file("kept/file/deep"), parents: true) }
    }

    @Test(
        "the parent and the name of a path",
        arguments: [("a", ".", "a"), ("/a", "/", "a"), ("a/b/", "a", "b"), ("/a/b", "/a", "b")])
    func parents(_ path: String, _ parent: String, _ name: String) {
        #expect(Files.parent(of: path) == parent && Files.name(of: path) == name)
    }

    @Test("a dot lock is exclusive, and a stale one is broken")
    func dotLock() throws {
        let folder = try TestDirectory()
        let path = folder.file("box")
        do {
            let first = try DotLock.acquire(path, timeout: .zero)
            #expect(first != nil && folder.names() == ["box.lock"])
            let second = try DotLock.acquire(path, timeout: .zero)
            let isTaken = second == nil
            #expect(isTaken)
        }
        #expect(folder.names() == [])
        try folder.write("box.lock", "1")
        var times = [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]
        utimes(folder.file("box.lock"), &times)
        #expect(try DotLock.acquire(path, timeout: .zero) != nil)
    }

    @Test("a dot lock names its process, and one of a process that is gone is broken at once")
    func deadLock() throws {
        let folder = try TestDirectory()
        let path = folder.file("box")
        let lock = try DotLock.acquire(path, timeout: .zero)
        let isTaken = lock != nil
        let text = try Files.read("\(path).lock").text
        #expect(isTaken && text == "\(getpid()):\(Host.name)")
        let process = try ToolProcess("/bin/true", [])
        let gone = process.pid
        #expect(process.wait() == 0)
        for (text, isBroken) in [("\(gone):\(Host.name)", true), ("\(gone):elsewhere", false), ("0", false)] {
            try folder.write("other.lock", text)
            let taken = try DotLock.tryAcquire(folder.file("other")) != nil
            #expect(taken == isBroken, "\(text)")
        }
    }

    @Test("a dot lock that another program has taken over is left to it")
    func takenOver() throws {
        let folder = try TestDirectory()
        do {
            let lock = try DotLock.acquire(folder.file("box"), timeout: .zero)
            let isTaken = lock != nil
            #expect(isTaken)
            unlink(folder.file("box.lock"))
            try folder.write("box.lock", "another")
        }
        #expect(folder.names() == ["box.lock"])
    }

    @Test("a pool does all its work, by no more threads than it may have", arguments: [0, 1, 4])
    func workers(_ count: Int) {
        let state = Mutex((sum: 0, running: 0, most: 0))
        let box = StateBox(state)
        let pool = WorkerPool<Int>(workers: count) { number in
            box.state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
            usleep(100)
            box.state.withLock {
                $0.running -= 1
                $0.sum += number
            }
        }
        for number in 1...200 { pool.submit(number) }
        pool.wait()
        #expect(box.state.withLock { $0.sum } == 20_100)
        #expect(box.state.withLock { $0.most } <= max(1, count))
    }

    private final class StateBox: Sendable {
        let state: Mutex<(sum: Int, running: Int, most: Int)>
        init(_ state: consuming Mutex<(sum: Int, running: Int, most: Int)>) { self.state = state }
    }

    @Test(
        "socket addresses",
        arguments: [
            ("127.0.0.1:25", "127.0.0.1:25"), ("[::1]:465", "[::1]:465"), ("localhost:2525", "127.0.0.1:2525"),
            ("unix:/run/x", "unix:/run/x"), ("192.0.2.1", "192.0.2.1:25"), ("[2001:db8::1]", "[2001:db8::1]:25"),
            ("2001:db8::1", "[2001:db8::1]:25"),
        ])
    func addresses(_ text: String, _ shown: String) {
        #expect(SocketAddress(text, defaultPort: 25)?.description == shown)
    }

    @Test("no socket addresses", arguments: ["", ":25", "host:25", "127.0.0.1:99999", "[::1:25", "unix:", "[::1]x"])
    func notAddresses(_ text: String) { #expect(SocketAddress(text, defaultPort: 25) == nil) }
}

@Suite("Paths as text") struct PathTextTests {
    @Test(
        "every path comes back as it was, and UTF-8 stays what it is",
        arguments: [
            Array("a/b".utf8), Array("é/日/😀".utf8), [0xFF], [0x61, 0xE9, 0x2F, 0xC3, 0xA9], [0xC3], [0xE2, 0x82],
            [0xF0, 0x9F, 0x98], [0xED, 0xA0, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x8F, 0xBE, 0x80, 0xFE], [],
            [0xC0, 0x80],
        ] as [[UInt8]])
    func roundTrip(_ path: [UInt8]) {
        let text = PathText.text(path)
        #expect(PathText.bytes(text) == path)
        if let plain = String(validating: path, as: UTF8.self), path.first != 0xF4 { #expect(text == plain) }
    }

    @Test("files with names of any bytes are made, listed, renamed and removed")
    func files() throws {
        let directory = try TestDirectory()
        let name = PathText.text([0x61, 0xE9, 0xFF])
        let path = "\(directory.path)/\(name)"
        try Files.makeDirectory(path)
        try Files.writeDurably("\(path)/x\(name)", [1, 2])
        #expect(try Files.names(inDirectory: path) == [[0x78, 0x61, 0xE9, 0xFF]])
        #expect(try Files.read("\(path)/x\(name)") == [1, 2] && Files.resolved(path)?.hasSuffix(name) ?? false)
        try Files.rename("\(path)/x\(name)", to: "\(path)/y\(name)")
        #expect(Files.exists("\(path)/y\(name)") && !Files.exists("\(path)/x\(name)"))
        try Files.removeTree(path)
        #expect(!Files.exists(path))
    }
}
