import Bytes
import MessageFormat

/// HTML read: the text that it shows.
struct RenderedHTML {
    let text: [UInt8]

    init(_ html: Span<UInt8>) { text = HTMLText.render(html, limit: 1 << 20) }
}
