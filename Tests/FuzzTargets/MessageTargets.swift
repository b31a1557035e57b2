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
}
