import Bytes
import Mailboxes
import MessageFormat
import Testing

@Suite struct FromLineTests {
    private func read(_ bytes: [UInt8]) -> FromLine? { FromLine(bytes.span, 0..<bytes.count) }

    struct Case: Sendable {
        let line: String
        let sender: String
        let date: Int?
    }

    static let cases = [
        Case(line: "From a@b Sat Aug 21 10:27:43 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b  Sat Aug 21 10:27:43 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 10:27 2004", sender: "a@b", date: 1_093_084_020),
        Case(line: "From a@b Sat Aug  1 1:02:03 2004", sender: "a@b", date: 1_091_322_123),
        Case(line: "From a@b Sat Aug 21 12:27:43 2004 +0200", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 12:27:43 +0200 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 06:27:43 EDT 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 12:27:43 MET DST 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 10:27:43 04", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat, 21 Aug 2004 12:27:43 +0200", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Aug 21 10:27:43 2004", sender: "a@b", date: 1_093_084_063),
        Case(line: "From uucp Sat Aug 21 10:27:43 2004 remote from host", sender: "uucp", date: 1_093_084_063),
        Case(line: "From Alice B. Sat Aug 21 10:27:43 2004", sender: "Alice B.", date: 1_093_084_063),
        Case(line: "From Sat Aug 21 10:27:43 2004", sender: "", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 10:27:43 2004\t", sender: "a@b", date: 1_093_084_063),
        Case(line: "From a@b Sat Aug 21 10:27:60 2004", sender: "a@b", date: 1_093_084_080),
        Case(line: "From a@b", sender: "a@b", date: nil),
        Case(line: "From ", sender: "", date: nil),
        Case(line: "From a@b Sat Aug 21 25:27:43 2004", sender: "a@b Sat Aug 21 25:27:43 2004", date: nil),
        Case(line: "From a@b Sat Aug 32 10:27:43 2004", sender: "a@b Sat Aug 32 10:27:43 2004", date: nil),
        Case(
            line: "From here on Sat Aug 21 10:27:43 2004 it rains", sender: "here on Sat Aug 21 10:27:43 2004 it rains",
            date: nil),
    ]

    @Test("odd From_ lines are read", arguments: cases)
    func odd(_ item: Case) throws {
        let bytes = Array(item.line.utf8)
        let line = try #require(read(bytes))
        #expect(bytes[line.sender].text == item.sender)
        #expect(line.date == item.date)
    }

    @Test("a line that does not begin with From and a space is none")
    func none() {
        for text in ["", "From", "from a", "From:a", " From a", ">From a"] {
            let bytes = Array(text.utf8)
            #expect(read(bytes) == nil)
        }
    }

    @Test("a composed line is read back, and is one line of words")
    func composed() throws {
        for (sender, shown) in [("a@b", "a@b"), ("", "MAILER-DAEMON"), ("\"a b\"@c\n", "\"a-b\"@c-")] {
            for date in [0, 1_093_084_063, 951_782_400, 4_102_444_799] {
                let bytes = FromLine.compose(sender: Array(sender.utf8), date: date)
                let line = try #require(read(bytes))
                #expect(bytes[line.sender].text == shown)
                #expect(line.date == date)
            }
        }
    }

    @Test("calendar and seconds agree, before 1970 too")
    func calendar() {
        var generator = SeededGenerator(state: 5)
        for _ in 0..<2_000 {
            let epoch = Int.random(in: -60_000_000_000...250_000_000_000, using: &generator)
            #expect(CalendarTime(epoch: epoch).epoch == epoch)
        }
        #expect(CalendarTime(epoch: -1).asctime == "Wed Dec 31 23:59:59 1969")
        #expect(CalendarTime(epoch: 951_782_400).asctime == "Tue Feb 29 00:00:00 2000")
        #expect(CalendarTime(epoch: .max).year == 9_999)
        #expect(CalendarTime(epoch: .min).year < 0)
    }
}
