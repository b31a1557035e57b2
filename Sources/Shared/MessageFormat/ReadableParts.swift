import Bytes

/// Which parts of a message a reader sees as its text, and which are attachments.
package struct ReadableParts: Sendable {
    /// The text leaves that are shown, in order.
    package private(set) var shown: [Int] = []
    /// Parts that are neither shown nor alternatives of what is shown, and those that say that they are attachments; in
    /// the order of the tree.
    package private(set) var attachments: [Int] = []

    /// What showing a part would show.
    private enum Kind: UInt8, Comparable {
        case nothing, otherText, html, plain
        static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
    }

    /// What is known of one part while the choice is made.
    private struct Choice {
        var kind = Kind.nothing
        /// Of a multipart/alternative or related: the only child that is shown.
        var child: Int?
        var isAttachment = false
    }

    private var choices: [Choice]

    /// Chooses from the parts of `structure`; `headers` are those of all parts, by index.
    package init(_ structure: MessageStructure, headers: [PartHeader]) {
        choices = Array(repeating: Choice(), count: structure.parts.count)
        // Children come after their parents, so that backwards every child is known before its parent.
        for part in structure.parts.indices.reversed() { weigh(part, structure, headers) }
        if structure.parts.isEmpty { return }
        collect(structure, headers)
    }

    private mutating func weigh(_ part: Int, _ structure: MessageStructure, _ headers: [PartHeader]) {
        let node = structure.parts[part]
        choices[part].isAttachment = headers[part].isAttachment
        if choices[part].isAttachment { return }
        if node.isMessage { return }
        if node.isMultipart {
            guard !node.children.isEmpty else {
                choices[part].kind = node.isClosed && node.boundary != nil ? .nothing : .plain
                return
            }
            switch node.contentType.name {
            case "multipart/alternative": choices[part].child = alternative(node.children)
            case "multipart/related": choices[part].child = relatedRoot(node, headers)
            default:
                let kinds = node.children.map { choices[$0].kind }
                choices[part].kind = kinds.contains(.html) ? .html : kinds.max() ?? .nothing
                return
            }
            if let child = choices[part].child { choices[part].kind = choices[child].kind }
            return
        }
        switch node.contentType.name {
        case "text/plain": choices[part].kind = .plain
        case "text/html": choices[part].kind = .html
        default: choices[part].kind = node.contentType.isText ? .otherText : .nothing
        }
    }

    /// The last plain text, else the last HTML, else the last text of another kind.
    private func alternative(_ children: [Int]) -> Int? {
        var best: Int?
        for child in children where choices[child].kind != .nothing {
            if let known = best, choices[known].kind > choices[child].kind { continue }
            best = child
        }
        return best
    }

    /// RFC 2387: the part that `start` names, else the first.
    private func relatedRoot(_ node: MessagePart, _ headers: [PartHeader]) -> Int? {
        if var start = node.contentType["start"] {
            if start.hasPrefix("<"), start.hasSuffix(">") { start = String(start.dropFirst().dropLast()) }
            if let root = node.children.first(where: { headers[$0].contentID == start }) { return root }
        }
        return node.children.first
    }

    private mutating func collect(_ structure: MessageStructure, _ headers: [PartHeader]) {
        enum Role { case shown, alternative, left }
        var pending: [(part: Int, role: Role)] = [(0, .shown)]
        while let (part, role) = pending.popLast() {
            let node = structure.parts[part]
            let choice = choices[part]
            let isLeaf = node.children.isEmpty || node.isMessage
            let isText = choice.kind != .nothing
            if choice.isAttachment {
                attachments.append(part)
                if isLeaf { continue }
                for child in node.children.reversed() { pending.append((child, .left)) }
                continue
            }
            if isLeaf {
                if role == .shown, isText {
                    shown.append(part)
                } else if role == .alternative, node.isLeaf {
                    continue
                } else if !(node.isMultipart && !isText) {
                    attachments.append(part)
                }
                continue
            }
            let isAlternative = node.contentType.name == "multipart/alternative"
            for child in node.children.reversed() {
                let next: Role
                if role == .left {
                    next = .left
                } else if isAlternative, choice.child != nil {
                    next = child == choice.child ? role : .alternative
                } else if isAlternative {
                    next = .left
                } else if let chosen = choice.child {
                    next = child == chosen ? role : .left
                } else if role == .alternative, choices[child].kind == .nothing {
                    next = .left
                } else {
                    next = role
                }
                pending.append((child, next))
            }
        }
    }
}

/// The text of a message as a person reads it.
package struct ReadableText: Sendable {
    /// UTF-8, LF line ends; nil when no part has text to show.
    package var text: [UInt8]?
    /// Some of it was HTML.
    package var isFromHTML = false

    package static let defaultLimit = 1 << 20

    /// The text of the shown parts, joined by one blank line, at most `limit` bytes. `texts` holds the texts of parts that
    /// were decoded already.
    package init(
        _ structure: MessageStructure, _ readable: ReadableParts, in message: Span<UInt8>, texts: [Int: [UInt8]] = [:],
        limit: Int = defaultLimit
    ) {
        var joined: [UInt8]?
        for part in readable.shown {
            if let text = joined, text.count >= limit { break }
            let type = structure.parts[part].contentType
            isFromHTML = isFromHTML || type.name == "text/html"
            let content = texts[part] ?? structure.text(of: part, in: message).text
            let text = ReadableText.render(content, type, limit: limit)
            guard var known = joined else {
                joined = text
                continue
            }
            if text.isEmpty { continue }
            while known.last == ASCII.lf { known.removeLast() }
            if !known.isEmpty { known += [ASCII.lf, ASCII.lf] }
            known += text
            joined = known
        }
        text = joined.map { UTF8Cut.prefix($0, limit) }
    }

    /// One part's text: HTML rendered, flowed lines joined.
    package static func render(
        _ part: Int, _ structure: MessageStructure, _ message: Span<UInt8>, limit: Int = defaultLimit
    ) -> [UInt8] {
        render(structure.text(of: part, in: message).text, structure.parts[part].contentType, limit: limit)
    }

    private static func render(_ text: [UInt8], _ type: ContentType, limit: Int) -> [UInt8] {
        if type.name == "text/html" { return HTMLText.render(text.span, limit: limit) }
        if type.name == "text/plain", type["format"]?.asciiLowercased == "flowed" {
            return FlowedText.unwrap(text, deletingSpace: type["delsp"]?.asciiLowercased == "yes")
        }
        return text
    }
}
