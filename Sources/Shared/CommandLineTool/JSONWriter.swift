import Bytes

/// Writes JSON text (RFC 8259) into a buffer, front to back, without building a tree; made for one object a line.
///
/// Strings are always valid UTF-8; U+0000 to U+001F and U+007F are escaped.
package struct JSONWriter: Sendable {
    /// The text so far.
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// A writer with room for so many bytes.
    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// The text with a line feed after it; the writer is empty again.
    package mutating func takeLine() -> [UInt8] {
        var line = bytes
        line.append(ASCII.lf)
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
        return line
    }

    /// Writes the text out with a line feed after it; the writer is empty again, and keeps its memory for the next.
    package mutating func endLine(to output: Output) {
        bytes.append(ASCII.lf)
        output.write(bytes.span)
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    /// What was written so far, which is not kept: an object may be larger than memory should hold.
    package mutating func takeBytes() -> [UInt8] {
        let taken = bytes
        bytes.removeAll(keepingCapacity: true)
        return taken
    }

    // MARK: Structure

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// A key of plain characters.
    package mutating func key(_ name: StaticString) {
        bytes.append(jsonKey: name, behindComma: needsComma)
        needsComma = false
    }

    /// A key of any text.
    @_disfavoredOverload
    package mutating func key(_ name: String) {
        separate()
        appendString(name)
        bytes.append(ASCII.colon)
        needsComma = false
    }

    package mutating func object(_ content: (inout JSONWriter) -> Void) {
        beginObject()
        content(&self)
        endObject()
    }

    package mutating func array(_ content: (inout JSONWriter) -> Void) {
        beginArray()
        content(&self)
        endArray()
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(ASCII.comma) }
        needsComma = true
    }

    // MARK: Values

    package mutating func null() { literal("null") }

    package mutating func value(_ text: String?) {
        guard let text else { return null() }
        separate()
        appendString(text)
    }

    /// A string from its bytes, which must be valid UTF-8.
    package mutating func value(utf8 text: Span<UInt8>) {
        separate()
        bytes.append(ASCII.quote)
        bytes.append(jsonContent: text)
        bytes.append(ASCII.quote)
    }

    /// A string that is written in pieces, between `beginString` and `endString`: their bytes together are valid UTF-8.
    package mutating func beginString() {
        separate()
        bytes.append(ASCII.quote)
    }

    package mutating func continueString(_ text: Span<UInt8>) { bytes.append(jsonContent: text) }
    package mutating func endString() { bytes.append(ASCII.quote) }

    package mutating func value(_ number: Int?) { number.map { appendNumber($0) } ?? null() }
    package mutating func value(_ truth: Bool?) { truth.map { literal($0 ? "true" : "false") } ?? null() }

    /// With so many decimals; what is not finite is null.
    package mutating func value(_ number: Double?, decimals: Int) {
        guard let number, number.isFinite else { return null() }
        literal(DecimalText.format(number, decimals: decimals))
    }

    package mutating func value(_ list: [String]) {
        array { for text in list { $0.value(text) } }
    }

    // MARK: Members

    package mutating func field(_ name: StaticString, _ text: String?) {
        key(name)
        value(text)
    }
    package mutating func field(_ name: StaticString, utf8 text: Span<UInt8>) {
        key(name)
        value(utf8: text)
    }
    /// Two members that hold the same string, which is looked through once.
    package mutating func fields(_ name: StaticString, _ other: StaticString, utf8 text: Span<UInt8>) {
        key(name)
        let start = bytes.count
        value(utf8: text)
        let end = bytes.count
        key(other)
        bytes.append(copyOf: start..<end)
        needsComma = true
    }
    package mutating func field(_ name: StaticString, _ number: Int?) {
        key(name)
        value(number)
    }
    package mutating func field(_ name: StaticString, _ truth: Bool?) {
        key(name)
        value(truth)
    }
    package mutating func field(_ name: StaticString, _ number: Double?, decimals: Int) {
        key(name)
        value(number, decimals: decimals)
    }
    package mutating func field(_ name: StaticString, _ list: [String]) {
        key(name)
        value(list)
    }
    package mutating func fieldNull(_ name: StaticString) {
        key(name)
        null()
    }
    package mutating func object(_ name: StaticString, _ content: (inout JSONWriter) -> Void) {
        key(name)
        object(content)
    }
    package mutating func array(_ name: StaticString, _ content: (inout JSONWriter) -> Void) {
        key(name)
        array(content)
    }

    // MARK: Members whose keys are any text

    @_disfavoredOverload
    package mutating func field(_ name: String, _ text: String?) {
        key(name)
        value(text)
    }
    @_disfavoredOverload
    package mutating func object(_ name: String, _ content: (inout JSONWriter) -> Void) {
        key(name)
        object(content)
    }

    private mutating func appendNumber(_ number: Int) {
        separate()
        bytes.append(jsonNumber: number)
    }

    private mutating func literal(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func appendString(_ text: String) {
        bytes.append(ASCII.quote)
        bytes.append(jsonContent: text.utf8Span.span)
        bytes.append(ASCII.quote)
    }
}

/// Numbers with a fixed count of decimals.
package enum DecimalText {
    /// `7.25` with one decimal is `7.3`; halves round away from zero.
    package static func format(_ number: Double, decimals: Int) -> String {
        let decimals = min(max(decimals, 0), 9)
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (number.magnitude * scale).rounded()
        guard scaled < 9e18 else { return String(number) }
        let whole = UInt64(scaled)
        let sign = number < 0 && whole > 0 ? "-" : ""
        let unit = UInt64(scale)
        if decimals == 0 { return "\(sign)\(whole)" }
        let fraction = String(whole % unit)
        return "\(sign)\(whole / unit)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
