import Bytes

/// Text of `format=flowed` (RFC 3676) with its paragraphs joined again.
enum FlowedText {
    /// `text` has LF line ends. With `deletingSpace` the space that marks a soft line end goes with it (DelSp=yes).
    static func unwrap(_ text: [UInt8], deletingSpace: Bool) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var openDepth: Int?
        var position = 0
        let span = text.span
        while position < text.count {
            let line = span.line(at: position)
            position = line.next
            var start = line.content.lowerBound
            let end = line.content.upperBound
            while start < end, text[start] == ASCII.greater { start += 1 }
            let depth = start - line.content.lowerBound
            if start < end, text[start] == ASCII.space { start += 1 }
            let isSignature = end - start == 3 && span.matches("-- ", at: start)
            if let open = openDepth, open != depth || isSignature {
                output.append(ASCII.lf)
                openDepth = nil
            }
            if openDepth == nil, depth > 0 {
                output.append(contentsOf: repeatElement(ASCII.greater, count: depth))
                if start < end { output.append(ASCII.space) }
            }
            let isFlowed = end > start && text[end - 1] == ASCII.space && !isSignature
            output.append(span: span.extracting(start..<(isFlowed && deletingSpace ? end - 1 : end)))
            if isFlowed {
                openDepth = depth
            } else {
                openDepth = nil
                if line.isTerminated { output.append(ASCII.lf) }
            }
        }
        return output
    }
}
