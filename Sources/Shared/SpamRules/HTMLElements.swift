/// The elements of HTML, by what they mean for reading it.
enum HTMLElements {
    static let known: Set<String> = Set(
        """
        a abbr acronym address area b base bdo big blockquote body br button caption cite code col colgroup dd del dfn \
        div dl dt em fieldset form h1 h2 h3 h4 h5 h6 head hr html i img input ins kbd label legend li link map meta \
        noscript object ol optgroup option p param pre q samp script select small span strong style sub sup table tbody \
        td textarea tfoot th thead title tr tt ul var applet basefont center dir font frame frameset iframe isindex menu \
        noframes s strike u nobr x-sigsep x-tab
        """.split(separator: " ").map(String.init))
    /// Not HTML, but shown by mail programs.
    static let tricks: Set<String> = ["bgsound", "embed", "listing", "plaintext", "xmp"]
    static let styled: Set<String> = [
        "body", "font", "table", "tr", "th", "td", "big", "small", "basefont", "marquee", "span", "p", "div", "a",
    ]

    /// What a tag leaves between texts.
    static func whitespace(_ name: String) -> StaticString? {
        switch name {
        case "br", "div": "\n"
        case "li", "td", "th", "dd", "dt", "embed", "h1", "h2", "h3", "h4", "h5", "h6": " "
        case "p", "hr", "blockquote", "pre", "listing", "plaintext", "xmp", "title": "\n\n"
        default: nil
        }
    }
}
