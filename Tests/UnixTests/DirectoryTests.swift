import Glibc
import TestSupport
import Testing
import Unix

@Suite struct DirectoryTests {
    @Test("entries have names of any bytes and their kind; links are not followed")
    func entries() throws {
        let folder = try TestDirectory()
        try folder.write("b/file", "x")
        try folder.write("file", "x")
        #expect(symlink("file", folder.file("link")) == 0)
        let directory = try Directory(folder.path)
        let strange: [UInt8] = [0xFF, 0x0A]
        _ = try directory.open(strange, O_WRONLY | O_CREAT)
        let kinds = Dictionary(uniqueKeysWithValues: try directory.entries().map { ($0.name, $0.kind) })
        #expect(
            kinds == [
                Array("b".utf8): .directory, Array("file".utf8): .file, Array("link".utf8): .other, strange: .file,
            ])
        #expect(throws: SystemError.self) { _ = try directory.open(Array("link".utf8), O_RDONLY) }
        #expect(throws: SystemError.self) { _ = try directory.open([0x61, 0], O_RDONLY) }
        #expect(throws: SystemError.self) { _ = try directory.directory("link") }
    }

    @Test("renaming never replaces")
    func renaming() throws {
        let folder = try TestDirectory()
        try folder.write("a", "a")
        try folder.write("b", "b")
        let directory = try Directory(folder.path)
        #expect(throws: SystemError.self) { try directory.rename([0x61], to: directory, as: [0x62]) }
        try directory.rename([0x61], to: directory, as: [0x63])
        try directory.remove([0x62])
        #expect(folder.names() == ["c"])
    }

    @Test("bytes are read and written at a place, without moving the file's own")
    func places() throws {
        let folder = try TestDirectory()
        let file = try FileDescriptor.open(try folder.write("f", "0123456789"), O_RDWR)
        #expect(try file.read(at: 8, atMost: 5) == Array("89".utf8))
        try file.writeAll(Array("xy".utf8), at: 3)
        #expect(try file.readAll() == Array("012xy56789".utf8))
    }
}
