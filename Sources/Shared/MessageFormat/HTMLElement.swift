import Bytes

/// An element's name, in lower case, of at most 16 bytes: no element that matters has a longer one.
struct HTMLName: Hashable {
    private let start: UInt64
    private let rest: UInt64

    /// The name that stands at `range`, which must be there.
    init(_ html: Span<UInt8>, _ range: Range<Int>) {
        var words: (UInt64, UInt64) = (0, 0)
        for (index, place) in range.prefix(16).enumerated() {
            let byte = UInt64(html[place].asciiLowercased)
            if index < 8 { words.0 = words.0 << 8 | byte } else { words.1 = words.1 << 8 | byte }
        }
        (start, rest) = words
    }

    init(_ name: String) {
        let bytes = Array(name.utf8)
        self.init(bytes.span, 0..<bytes.count)
    }
}

/// What an element does to the text around it.
enum HTMLElement {
    /// Nothing of it is shown.
    case hidden
    /// The same, also when it is never closed.
    case code
    case lineBreak, rule, item, cell, preformatted, quote, link, image
    /// So many line ends stand before and behind it.
    case block(breaks: Int)
    case inline

    /// By the name.
    init(_ name: HTMLName) { self = HTMLElement.all[name] ?? .inline }

    private static let all: [HTMLName: HTMLElement] = {
        var all: [HTMLName: HTMLElement] = [:]
        func add(_ element: HTMLElement, _ names: String) {
            for name in names.split(separator: " ") { all[HTMLName(String(name))] = element }
        }
        add(.hidden, "title template textarea head noframes object svg")
        add(.code, "script style")
        add(.lineBreak, "br")
        add(.rule, "hr")
        add(.item, "li")
        add(.cell, "td th")
        add(.preformatted, "pre")
        add(.quote, "blockquote")
        add(.link, "a")
        add(.image, "img")
        add(.block(breaks: 2), "p h1 h2 h3 h4 h5 h6 ul ol dl table form fieldset article section")
        add(
            .block(breaks: 1),
            "div tr dt dd center address header footer main nav aside figure figcaption body caption option")
        return all
    }()
}
