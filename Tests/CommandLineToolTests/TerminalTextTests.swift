import CommandLineTool
import Testing

@Suite("Text from mail on a terminal")
struct TerminalTextTests {
    @Test(
        "controls and bidi marks become visible escapes",
        arguments: [
            ("\u{1B}[31mred", "\\x1b[31mred"), ("a\rb", "a\\x0db"), ("a\nb", "a\\x0ab"), ("\u{9B}x", "\\x9bx"),
            ("\u{202E}exe", "\\u202eexe"), ("\u{2066}", "\\u2066"), ("Grüße 日本 😀", "Grüße 日本 😀"), ("\u{7F}", "\\x7f"),
        ])
    func escape(_ text: String, _ shown: String) { #expect(TerminalText.escape(text) == shown) }

    @Test("lines and tabs may stay")
    func lines() { #expect(TerminalText.escape("a\n\tb\u{1B}", keepingLines: true) == "a\n\tb\\x1b") }
}
