import Bytes
import MessageFormat
import Unix

/// Tests of what is attached: programs, names that do not fit, alternatives that are no text.
extension EvalTests {
    static let attachmentTests: [String: Test] = [
        "check_microsoft_executable": { facts, _ in
            let structure = facts.structure
            return structure.walk().contains { index in
                let part = structure.parts[index]
                guard part.isLeaf else { return false }
                if let name = part.contentType["name"]?.asciiLowercased, let dot = name.lastIndex(of: "."),
                    programs.contains(String(name[name.index(after: dot)...]))
                {
                    return true
                }
                let lines = facts.bytes[part.body.clamped(to: 0..<facts.bytes.count)]
                if part.encodingName.asciiLowercased.contains("base64") {
                    return facts.matches("^TV[opqr].A..[AB].[AQgw][A-H].A", lines.prefix(80).text)
                }
                guard part.contentType.isText else { return false }
                return facts.expressions.matches("^M35[GHIJK].`..`..\\*````", Array(lines), .multiline)
            } ? 1 : 0
        },
        "check_suspect_name": { facts, _ in
            let structure = facts.structure
            return structure.walk().contains { index in
                let part = structure.parts[index]
                guard part.isLeaf, let name = part.contentType["name"]?.asciiLowercased,
                    part.contentType.name != "application/octet-stream"
                else { return false }
                let ending = name.split(separator: ".").last.map(String.init) ?? name
                return !fits(ending, registered(part.contentType.name), facts)
            } ? 1 : 0
        },
        "check_ma_non_text": { facts, _ in
            let structure = facts.structure
            return structure.walk().contains { index in
                guard structure.parts[index].contentType.name == "multipart/alternative" else { return false }
                return structure.parts[index].children.contains { child in
                    let type = structure.parts[child].contentType.name
                    return !type.hasPrefix("text/") && type != "multipart/related" && type != "application/rtf"
                }
            } ? 1 : 0
        },
        "check_mime_multipart_ratio": { facts, arguments in
            guard arguments.count > 1, let least = Double(arguments[0]), let most = Double(arguments[1]) else {
                return 0
            }
            let ratio = facts.parts.plainShare
            return ratio >= least && ratio < most ? 1 : 0
        },
    ]

    /// Endings of files that Windows runs.
    private static let programs = Set(
        """
        ade adp asx bas bat chm cmd com cpl crt dll exe hlp hta inf ins isp js jse lnk mda mdb mde mdt mdw mdz msc msi \
        msp mst nws ops pcd pif prf reg scf sc scr sct shb shs shm swf url vb vbe vbs vbx vxd wsc wsf wsh
        """.split(separator: " ").map(String.init))

    /// A type without `x-` or `vnd.` before its second part.
    private static func registered(_ type: String) -> String {
        guard let slash = type.firstIndex(of: "/") else { return type }
        let second = type[type.index(after: slash)...]
        guard let prefix = ["x-", "vnd."].first(where: { second.hasPrefix($0) }) else { return type }
        return String(type[...slash] + second.dropFirst(prefix.count))
    }

    /// Whether the ending of a name is one of its type.
    private static func fits(_ ending: String, _ type: String, _ facts: MessageFacts) -> Bool {
        for (endings, types) in [
            (
                "^(?:txt|[px]?html?|xml)$",
                "^(?:text/(?:plain|[px]?html?|english|sgml|xml|enriched|richtext)|message/external-body)"
            ), ("^(?:jpe?g|tiff?|gif|png)$", "^(?:image/|application/mac-binhex)"), ("^vcf$", "^text/vcard$"),
            ("^(?:bat|com|exe|pif|scr|swf|vbs)$", "^application/"), ("^doc$", "^application/.*word$"),
            ("^ppt$", "^application/.*(?:powerpoint|ppt)$"), ("^xls$", "^application/.*excel$"),
        ] where facts.matches(endings, ending) && !facts.matches(types, type) { return false }
        return true
    }
}
