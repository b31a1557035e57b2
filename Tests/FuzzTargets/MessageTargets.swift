import Bytes
import MessageFormat

extension FuzzTarget {
    static let messages = [
        FuzzTarget("message") { bytes in
            let message = bytes.span
            let structure = MessageStructure(message)
            _ = MessageSummary(structure.fields(of: 0), in: message)
            var headers: [PartHeader] = []
            for part in structure.parts.indices {
                headers.append(structure.header(of: part, in: message))
                if structure.parts[part].isLeaf {
                    let content = structure.content(of: part, in: message)
                    _ = structure.text(content.bytes, of: part)
                }
                require(structure.part(at: structure.path(of: part)) == part, "a path leads to its part")
            }
            let readable = ReadableParts(structure, headers: headers)
            _ = readable
        },
        FuzzTarget("transfer-conversion") { bytes in
            for domain in [TransferConversion.Domain.sevenBit, .eightBit] {
                guard let conversion = try? TransferConversion(bytes.span, to: domain) else { continue }
                var converted: [UInt8] = []
                conversion.write(bytes.span) { converted.append(span: $0) }
                if conversion.isEmpty { require(converted == bytes, "what need not be converted stays") }
                require(
                    domain == .eightBit || conversion.isEmpty || UTF8Text.isASCII(converted.span),
                    "what is 7bit has no octets beyond ASCII")
                require(leaves(converted) == leaves(bytes), "a conversion changes no content")
                let again = try? TransferConversion(converted.span, to: domain)
                require(again?.isEmpty ?? false, "what was converted need not be converted")
            }
        },
        FuzzTarget("address") { bytes in _ = AddressList.parse(bytes) },
        FuzzTarget("date") { bytes in _ = DateTime(bytes) },
        FuzzTarget("encoded-word") { bytes in _ = HeaderText.decode(bytes) },
        FuzzTarget("parameters") { bytes in
            _ = ParameterizedField(bytes)
            _ = ContentType.parse(bytes)
            _ = MessageIDs.list(bytes)
        },
        FuzzTarget("trace-fields") { bytes in
            _ = ReceivedHop(bytes)
            _ = AuthenticationResults(bytes)
        },
        FuzzTarget("html") { bytes in _ = HTMLText.render(bytes.span) },
        FuzzTarget("file-name") { bytes in
            let name = SafeFileName.make(bytes.text)
            require(!name.utf8.contains(47) && !name.hasPrefix(".") && !name.hasPrefix("-"), "a safe name: \(name)")
            require(name.utf8.count <= 255, "a name that a file may have")
        },
    ]
    /// The content of all leaves, its line ends as CRLF.
    private static func leaves(_ message: [UInt8]) -> [[UInt8]] {
        let structure = MessageStructure(encodedForm: message.span)
        return structure.parts.filter(\.isLeaf).map { part in
            var lines: [UInt8] = []
            for index in part.body {
                if message[index] == ASCII.lf, lines.last != ASCII.cr { lines.append(ASCII.cr) }
                lines.append(message[index])
            }
            return part.encoding == .uuencode ? lines : part.encoding.decode(lines.span).bytes
        }
    }
}
