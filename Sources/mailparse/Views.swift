import CommandLineTool
import Mailboxes
import MessageFormat

/// What is shown of each message, as the options ask for it.
struct Views: Sendable {
    enum JSON: Sendable { case whole, headers }

    let json: JSON?
    let digests: Bool
    let headers: Bool
    let named: [String]
    let withFile: Bool
    let addresses: Bool
    let tree: Bool
    let text: Bool
    let html: Bool
    let part: String?
    let rawPart: String?
    let hops: Bool
    let auth: Bool
    let findings: Bool
    let count: Bool
    let extracts: Bool
    let template: Template?
    let textLimit: Int
    let isVerbose: Bool
    let isQuiet: Bool
    /// What --where asks.
    let selection: String?
    private let selectionNeedsBody: Bool
    private let selectionNeedsSize: Bool

    init(_ arguments: Arguments) throws(ToolFailure) {
        let options = MailparseOptions.self
        json = arguments[options.json].map { $0 == "headers" ? .headers : .whole }
        digests = arguments[options.digest] == "sha256"
        headers = arguments[options.headers]
        named = arguments[options.header]
        withFile = arguments[options.withFile]
        addresses = arguments[options.addresses]
        tree = arguments[options.tree]
        text = arguments[options.text]
        html = arguments[options.html]
        part = arguments[options.part]
        rawPart = arguments[options.rawPart]
        hops = arguments[options.hops]
        auth = arguments[options.auth]
        findings = arguments[options.findings]
        count = arguments[options.count]
        template = try arguments[options.format].map { text throws(ToolFailure) in try Template(text) }
        extracts = arguments.isGiven(options.extract)
        textLimit = arguments[options.textLimit]
        isQuiet = arguments[options.quiet]
        isVerbose = arguments[options.verbose] && !isQuiet
        selection = arguments[options.selection]
        do throws(SelectionError) {
            let selection = try selection.map { text throws(SelectionError) in try Selection(text) }
            selectionNeedsBody = selection?.needsBody ?? false
            selectionNeedsSize = selection?.needsSize ?? false
        } catch {
            throw ToolFailure(
                .usage, "--where: character \(error.place): \(TerminalText.escape(error.problem))")
        }
    }

    /// A view of more than the header.
    var needsBody: Bool {
        tree || text || html || findings || part != nil || rawPart != nil || extracts || template?.needsBody ?? false
    }
    /// The fields of which a summary must know.
    var wanted: MessageSummary.Wanted {
        if findings { return .all }
        var wanted = template?.wanted ?? []
        if addresses { wanted.insert(.addresses) }
        if hops || auth { wanted.insert(.trace) }
        if isDefault { wanted.formUnion([.addresses, .date, .subject]) }
        return wanted
    }
    var hasHeaderView: Bool { headers || !named.isEmpty || hops || auth || addresses || template != nil }
    /// How much of each message the views need.
    var depth: ParsedMessage.Depth {
        var depth: ParsedMessage.Depth = needsBody || isDefault ? .parts : []
        if hops || auth || findings { depth.formUnion(.header) }
        if addresses || template != nil || isDefault { depth.insert(.summary) }
        return depth
    }
    /// Nothing was asked for: the message is shown as a person reads it.
    var isDefault: Bool { !needsBody && !hasHeaderView }
    /// No view needs more than the header of each message.
    var headersSuffice: Bool { !selectionNeedsBody && (count || isHeaderOnly) }
    /// Some view shows, or the selection asks for, the size of each message.
    var needsSizes: Bool { isVerbose || selectionNeedsSize || template?.needsSize ?? false }
    /// What is shown needs no more than the header.
    var isHeaderOnly: Bool { json == nil && hasHeaderView && !needsBody }
    /// Something is asked for by name, so that finding nothing is a negative answer.
    var asksByName: Bool {
        json == nil && !count && (!named.isEmpty || html || part != nil || rawPart != nil || extracts)
    }
}
