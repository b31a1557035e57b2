import Bytes
import Foundation
import Mailboxes
import TestSupport
import Testing
import Unix

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct MaildirTests {
    private let folder: TestDirectory
    private let maildir: Maildir

    init() throws {
        folder = try TestDirectory()
        maildir = try Maildir.create(folder.file("m"))
    }

    private func names(_ part: String) -> [String] { folder.names("m/\(part)") }

    @Test("a message is in tmp/ until it is published, and then in new/ with its sizes")
    func delivery() throws {
        let delivery = try maildir.begin(time: 1_093_084_063)
        try delivery.write(bytes("A: b\n\r\nc").span)
        try delivery.write(bytes("\nd\n").span)
        #expect(names("tmp").count == 1)
        #expect(names("new").isEmpty)
        try delivery.synchronize(received: 1_093_084_063)
        let entry = try delivery.publish()
        try maildir.synchronize()
        #expect(names("tmp").isEmpty)
        #expect(names("new") == [entry.name.bytes.text])
        #expect(entry.name.bytes.text.hasPrefix("1093084063.M"))
        #expect(entry.name.size("S") == 11)
        #expect(entry.name.size("W") == 14)
        #expect(try maildir.status(entry).st_mtim.tv_sec == 1_093_084_063)
        #expect(try folder.read("m/new/\(entry.name.bytes.text)") == Array("A: b\n\r\nc\nd\n".utf8))
    }

    @Test("a delivery that is dropped or aborted leaves nothing")
    func dropped() throws {
        do {
            let delivery = try maildir.begin()
            try delivery.write(bytes("ab").span)
        }
        let aborted = try maildir.begin()
        aborted.abort()
        #expect(throws: SystemError.self) { try aborted.write(bytes("a").span) }
        #expect(throws: SystemError.self) { try aborted.publish() }
        #expect(names("tmp").isEmpty && names("new").isEmpty && names("cur").isEmpty)
    }

    @Test("flags put a message into cur/ with their letters in order")
    func flags() throws {
        let entry = try maildir.deliver(bytes("\n").span, flags: MessageFlags(maildirLetters: "TSaF".utf8))
        #expect(entry.folder == .cur)
        #expect(entry.name.bytes.text.hasSuffix(":2,FSTa"))
        #expect(try maildir.entries() == [entry])
        #expect(entry.flags.maildirLetters.text == "FSTa")
    }

    @Test("names keep the order of delivery, whatever the dates and the number of digits")
    func order() throws {
        let dates = [5, 3, 999_999_999, 1_000_000_000, 999_999_999, -7, 1_000_000_000, 2_000_000_000, 1]
        let entries = try dates.map { try maildir.deliver(bytes("\n").span, received: $0) }
        #expect(try maildir.entries() == entries)
        #expect(names("new") == entries.map { $0.name.bytes.text })
        try maildir.continueOrder()
        let later = try maildir.deliver(bytes("\n").span, received: 0)
        #expect(try maildir.entries().last == later)
    }

    @Test("tmp/, dot files, directories and links are never mail; names need not be UTF-8")
    func listing() throws {
        try folder.write("m/new/2.b.c", "x")
        try folder.write("m/cur/1.b.c:2,S", "y")
        try folder.write("m/tmp/0.b.c", "z")
        try folder.write("m/new/.hidden", "z")
        try FileManager.default.createDirectory(atPath: folder.file("m/new/3.dir"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("m/new/4.link"), withDestinationPath: folder.file("m/tmp/0.b.c"))
        let raw = folder.file("m/new/").utf8.map { CChar(bitPattern: $0) } + [0x33, 0x2E, -1, 0]
        close(open(raw, O_CREAT | O_WRONLY, 0o600))
        let entries = try maildir.entries()
        #expect(entries.map(\.name.bytes) == [Array("1.b.c:2,S".utf8), Array("2.b.c".utf8), [0x33, 0x2E, 0xFF]])
        for entry in entries { _ = try maildir.open(entry) }
        let link = Maildir.Entry(folder: .new, name: MaildirName(Array("4.link".utf8)))
        #expect(throws: SystemError.self) { _ = try maildir.open(link) }
    }

    @Test("a message that another program moves is found by the unique part of its name")
    func moved() throws {
        let entry = try maildir.deliver(bytes("hi").span)
        let moved = try maildir.setFlags(MessageFlags(maildirLetters: "S".utf8), of: entry)
        #expect(moved.folder == .cur)
        let file = try maildir.open(entry)
        #expect(try file.readAll().text == "hi")
        #expect(moved.name.unique == entry.name.unique)
        try maildir.remove(entry)
        #expect(try maildir.entries().isEmpty)
        #expect(throws: SystemError.self) { try maildir.remove(entry) }
    }

    @Test("any bytes are a name")
    func anyName() {
        var generator = SeededGenerator(state: 3)
        let parts = ["1", "99999999999999999999", ".", ":", "2,", ",S=", ",W=12", "S", "\u{FF}", "a", ":2,"]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...6, using: &generator)
            let bytes = (0..<count).flatMap { _ in Array((parts.randomElement(using: &generator) ?? "").utf8) }
            let name = MaildirName(bytes)
            _ = (name.unique, name.deliveryTime, name.size("S"), name.flagLetters.count)
            #expect(!(name.sortKey < name.sortKey))
        }
    }
}

@Suite struct MboxAppenderTests {
    @Test("an appended mailbox is cut back unless it is committed", arguments: [true, false])
    func commit(_ commits: Bool) throws {
        let folder = try TestDirectory()
        let path = try folder.write("m", "From a@b Thu Jan  1 00:00:00 1970\nx\n\n")
        do {
            var appender = try MboxAppender.open(path, timeout: .zero)
            #expect(Files.exists(path + ".lock"))
            #expect(appender.missingLineEnds == 0)
            try appender.write(bytes("From c@d\n").span)
            if commits { try appender.commit(synchronizing: true) }
        }
        #expect(try folder.read("m").count == (commits ? 46 : 37))
        #expect(!Files.exists(path + ".lock"))
    }

    @Test(
        "the line ends that a mailbox lacks are known",
        arguments: [
            ("", 0), ("From a\nx", 2), ("From a\nx\n", 1), ("From a\nx\n\n", 0), ("From a\r\n\r\n", 0), ("\n\n", 0),
            ("From a\n", 1),
        ])
    func lineEnds(_ text: String, _ missing: Int) throws {
        let folder = try TestDirectory()
        let appender = try MboxAppender.open(try folder.write("m", text), timeout: nil)
        #expect(appender.missingLineEnds == missing)
    }

    @Test("a lock of another program, and what is no mbox, are refused")
    func refused() throws {
        let folder = try TestDirectory()
        let path = try folder.write("m", "hello")
        #expect(throws: MboxAppender.Failure.self) { _ = try MboxAppender.open(path, timeout: nil) }
        try folder.write("m.lock", "1")
        #expect(throws: MboxAppender.Failure.self) { _ = try MboxAppender.open(path, timeout: .milliseconds(10)) }
    }
}

@Suite struct MboxSurveyTests {
    static let date = "Thu Jan  1 00:00:00 1970"
    static let cases: [(String, MboxFormat, Bool)] = [
        ("From a@b \(date)\nx\n\n", .mboxrd, false),
        ("From a@b \(date)\n>From x\n\n", .mboxrd, false),
        ("From a@b \(date)\n>>From x\n\n", .mboxrd, true),
        ("From a@b \(date)\nContent-Length: 8\n\n>From x\n\n", .mboxcl, true),
        ("From a@b \(date)\nContent-Length: 7\n\nFrom x\n\n", .mboxcl2, true),
        ("From a@b \(date)\nContent-Length: 2\n\nx\n\n", .mboxcl2, false),
        ("From a@b \(date)\nContent-Length: 9\n\nx\n\n", .mboxrd, false),
        ("", .mboxrd, false),
        ("From a@b \(date)\nContent-Length: 7\n\nFrom x\n\n" + others, .mboxcl2, true),
        ("From a@b \(date)\nContent-Length: 2\n\nx\n\n" + others, .mboxrd, false),
        // The length of one counts its quotes: they were there when it was counted.
        ("From a@b \(date)\nContent-Length: 8\n\n>From x\n\n" + others, .mboxcl, true),
        ("From a@b \(date)\nContent-Length: 8\n\n>From x\n\nFrom a@b \(date)\n\n>From y\n\n" + others, .mboxcl, false),
        ("From a@b \(date)\nContent-Length: 2\n\nx\n\nFrom a@b \(date)\n\n>>From y\n\n" + others, .mboxrd, true),
    ]
    static let others = String(repeating: "From a@b \(date)\nA: b\n\nx\n\n", count: 3)

    @Test("the variant is told by the whole structure", arguments: cases)
    func variant(_ text: String, _ format: MboxFormat, _ isCertain: Bool) throws {
        let folder = try TestDirectory()
        let path = try folder.write("m", text)
        let survey = try MboxSurvey(FileDescriptor.open(path, O_RDONLY))
        #expect(survey.format == format)
        #expect(survey.isCertain == isCertain)
        #expect(survey.messages == text.split(separator: "\n").count { $0.hasPrefix("From a@b") })
        var reader = try MboxReader(FileDescriptor.open(path, O_RDONLY), format: format)
        var bytes = 0
        while let event = try reader.next() { if case .content(let range) = event { bytes += range.count } }
        #expect(survey.bytes == bytes)
    }
}
