import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat
import OpenSSL
import Unix

/// Writes a message as one JSON object; every key is always there.
struct MessageJSON {
    /// Only what the outermost header says.
    var headerOnly = false
    /// SHA-256 of each leaf.
    var digests = true
    /// The text of every text leaf.
    var partTexts = false
    var textLimit = ReadableText.defaultLimit

    /// More than this is not kept in memory before it is written, in bytes.
    private static let pieceSize = 1 << 20

    func write(
        _ message: ParsedMessage, _ bytes: Span<UInt8>, _ json: inout JSONWriter, to output: Output
    ) throws(OpenSSLError) {
        let contents =
            headerOnly ? [] : try message.contents(bytes, digests: digests, texts: partTexts)
        let ending = LineEnding(bytes, passed: message.passed)
        json.beginObject()
        json.field("file", PathText.repaired(message.input.file))
        json.field("index", message.input.index)
        json.field("size", message.input.size)
        json.field("lineEnding", ending.rawValue)
        json.field("envelopeFrom", message.input.envelope.map { UTF8Text.repaired($0.span) })
        MessageJSON.write(message.structure.fields(of: 0), message.summary, bytes, &json, output)
        json.key("body")
        if headerOnly { json.null() } else { writeParts(message, bytes, contents, &json, output) }
        writeReadable(message, bytes, contents, &json)
        writeHops(message, &json)
        writeAuthentication(message.summary, &json)
        json.array("findings") { json in
            for finding in message.findings(bytes, contents, ending) {
                json.object { json in
                    json.field("id", finding.id.rawValue)
                    json.field("severity", finding.id.severity.rawValue)
                    json.field("offset", finding.offset)
                    json.field("path", finding.isOuterHeader ? nil : message.structure.path(of: finding.part))
                    json.field(
                        "text", finding.detail.isEmpty ? finding.id.text : "\(finding.id.text): \(finding.detail)")
                }
                if json.bytes.count > MessageJSON.pieceSize { output.write(json.takeBytes()) }
            }
        }
        json.endObject()
        json.endLine(to: output)
    }

    /// What stands in place of a message that is none.
    static func write(_ problem: InputProblem, to output: Output) {
        var json = JSONWriter()
        json.object { json in
            json.field("file", PathText.repaired(problem.file))
            json.field("index", problem.index)
            json.field("error", problem.reason)
        }
        output.write(json.takeLine())
    }

    // MARK: Header

    /// The keys `headers` to `list`.
    private static func write(
        _ fields: ArraySlice<HeaderField>, _ summary: MessageSummary, _ bytes: Span<UInt8>, _ json: inout JSONWriter,
        _ output: Output
    ) {
        json.key("headers")
        json.beginArray()
        for field in fields {
            json.beginObject()
            json.field("name", utf8: bytes.extracting(field.name))
            if let plain = field.plainText(in: bytes), plain.count <= pieceSize {
                json.fields("raw", "value", utf8: bytes.extracting(plain))
            } else if let plain = field.plainText(in: bytes) {
                write("raw", bytes.extracting(plain), &json, output)
                write("value", bytes.extracting(plain), &json, output)
            } else {
                let raw = field.value(in: bytes)
                let isPlain = UTF8Text.isASCII(raw.span) && !field.mayHoldEncodedWords(in: bytes)
                if isPlain, raw.count <= pieceSize {
                    json.fields("raw", "value", utf8: raw.span)
                } else if isPlain {
                    write("raw", raw.span, &json, output)
                    write("value", raw.span, &json, output)
                } else {
                    json.field("raw", UTF8Text.repaired(raw.span))
                    json.field("value", field.text(in: bytes))
                }
            }
            json.field("offset", field.offset)
            json.field("length", field.length)
            json.endObject()
            if json.bytes.count > pieceSize { output.write(json.takeBytes()) }
        }
        json.endArray()
        if let subject = summary.subject {
            write("subject", subject.utf8Span.span, &json, output)
        } else {
            json.fieldNull("subject")
        }
        json.key("date")
        if let text = summary.dateText {
            json.object { json in
                json.field("raw", text)
                json.field("epoch", summary.date?.epoch)
                json.field("offset", summary.date?.offset)
            }
        } else {
            json.null()
        }
        write("from", summary.from, &json)
        write("sender", summary.sender, &json)
        write("replyTo", summary.replyTo, &json)
        write("to", summary.to, &json)
        write("cc", summary.cc, &json)
        write("bcc", summary.bcc, &json)
        json.field("returnPath", summary.returnPath)
        json.field("deliveredTo", summary.deliveredTo)
        json.field("messageId", summary.messageID)
        json.field("inReplyTo", summary.inReplyTo)
        json.field("references", summary.references)
        json.object("list") { json in
            json.field("id", summary.listID)
            json.field("unsubscribe", summary.listUnsubscribe)
            json.field("post", summary.listPost)
        }
    }

    /// A text that may be of any length, in pieces.
    private static func write(_ key: StaticString, _ text: Span<UInt8>, _ json: inout JSONWriter, _ output: Output) {
        json.key(key)
        json.beginString()
        var place = 0
        while place < text.count {
            let end = min(place + pieceSize, text.count)
            json.continueString(text.extracting(place..<end))
            if json.bytes.count > pieceSize { output.write(json.takeBytes()) }
            place = end
        }
        json.endString()
    }

    private static func write(_ key: StaticString, _ addresses: [Address], _ json: inout JSONWriter) {
        json.array(key) { json in
            for address in addresses {
                json.object { json in
                    json.field("name", address.name)
                    json.field("address", address.address)
                    json.field("group", address.group)
                }
            }
        }
    }

    // MARK: Parts

    /// The tree, from a stack of its own: it may be deep.
    private func writeParts(
        _ message: ParsedMessage, _ bytes: Span<UInt8>, _ contents: [PartFacts], _ json: inout JSONWriter,
        _ output: Output
    ) {
        let parts = message.structure.parts
        var path: [UInt8] = []
        /// Where the number of each open part begins in the path.
        var starts: [Int] = []
        var stack: [(part: Int, next: Int)] = []
        begin(0)
        while let (part, next) = stack.last {
            if next < parts[part].children.count {
                stack[stack.count - 1].next += 1
                begin(parts[part].children[next])
            } else {
                json.endArray()
                json.endObject()
                stack.removeLast()
                path.removeLast(path.count - (starts.popLast() ?? 0))
            }
            if json.bytes.count > MessageJSON.pieceSize { output.write(json.takeBytes()) }
        }

        func begin(_ part: Int) {
            starts.append(path.count)
            path += Array((path.isEmpty ? "" : ".").utf8) + Array(String(parts[part].number).utf8)
            json.beginObject()
            json.field("path", utf8: path.span)
            writePart(part, message, bytes, contents[part], &json, output)
            json.key("parts")
            json.beginArray()
            stack.append((part, 0))
        }
    }

    private func writePart(
        _ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>, _ facts: PartFacts, _ json: inout JSONWriter,
        _ output: Output
    ) {
        let node = message.structure.parts[part]
        let header = message.headers[part]
        json.field("type", node.contentType.name)
        json.object("parameters") { json in
            for parameter in node.contentType.parameters { json.field(parameter.name, parameter.value) }
        }
        json.field("disposition", header.disposition)
        json.field("filename", header.filename)
        json.field("charset", node.contentType["charset"]?.asciiLowercased)
        json.field("encoding", node.encodingName)
        json.field("contentId", header.contentID)
        json.field("description", header.description)
        json.field("headerOffset", node.headerOffset)
        json.field("bodyOffset", node.bodyOffset)
        json.field("bodyEnd", node.body.upperBound)
        json.field("size", facts.size)
        json.field("sha256", facts.sha256)
        json.field("isText", node.contentType.isText)
        json.key("text")
        if partTexts, let text = facts.text { json.value(utf8: text.span) } else { json.null() }
        json.key("message")
        if let inner = message.innerSummary(part, bytes), let root = node.children.first {
            json.beginObject()
            message.structure.withSource(of: root, in: bytes) { source in
                MessageJSON.write(message.structure.fields(of: root), inner, source, &json, output)
            }
            json.endObject()
        } else {
            json.null()
        }
    }

    // MARK: The rest

    private func writeReadable(
        _ message: ParsedMessage, _ bytes: Span<UInt8>, _ contents: [PartFacts], _ json: inout JSONWriter
    ) {
        let attachments = message.readable?.attachments ?? []
        json.array("attachments") { json in
            for part in attachments {
                json.object { json in
                    json.field("path", message.structure.path(of: part))
                    json.field("filename", message.headers[part].filename)
                    json.field("type", message.structure.parts[part].contentType.name)
                    json.field("size", contents[part].size)
                }
            }
        }
        if let readable = message.readable {
            var texts: [Int: [UInt8]] = [:]
            for part in readable.shown { texts[part] = contents[part].text }
            let text = ReadableText(message.structure, readable, in: bytes, texts: texts, limit: textLimit)
            json.key("text")
            if let text = text.text { json.value(utf8: text.span) } else { json.null() }
            json.field("html", text.isFromHTML)
        } else {
            json.fieldNull("text")
            json.fieldNull("html")
        }
    }

    private func writeHops(_ message: ParsedMessage, _ json: inout JSONWriter) {
        json.array("hops") { json in
            for (hop, delay) in zip(message.hops, message.delays) {
                json.object { json in
                    json.field("from", hop.from)
                    json.field("helo", hop.helo)
                    json.field("address", hop.address)
                    json.field("by", hop.by)
                    json.field("with", hop.with)
                    json.field("id", hop.id)
                    json.field("for", hop.for)
                    json.field("epoch", hop.date?.epoch)
                    json.field("delay", delay)
                    json.field("via", hop.via)
                    json.key("tls")
                    if let tls = hop.tls {
                        json.object { json in
                            json.field("version", tls.version)
                            json.field("cipher", tls.cipher)
                        }
                    } else {
                        json.null()
                    }
                }
            }
        }
    }

    private func writeAuthentication(_ summary: MessageSummary, _ json: inout JSONWriter) {
        json.array("authentication") { json in
            for value in summary.authenticationResults {
                let field = AuthenticationResults(value)
                json.object { json in
                    json.field("server", field.server)
                    json.array("results") { json in
                        for result in field.results {
                            json.object { json in
                                json.field("method", result.method)
                                json.field("result", result.result)
                                json.field("reason", result.reason)
                                json.object("properties") { json in
                                    for property in result.properties { json.field(property.name, property.value) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
