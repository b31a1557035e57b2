import Bytes

/// One parameter of MAIL or RCPT (RFC 5321 4.1.2 esmtp-param).
struct Parameter: Equatable {
    /// In upper case.
    let keyword: String
    let value: String?

    /// Reads what follows a path: nothing, or parameters with spaces between them. Nil when the syntax is wrong.
    static func parse(_ bytes: ArraySlice<UInt8>) -> [Parameter]? {
        guard let first = bytes.first else { return [] }
        guard first == ASCII.space else { return nil }
        var parameters: [Parameter] = []
        for word in bytes.split(separator: ASCII.space) {
            let parts = word.split(separator: ASCII.equals, maxSplits: 1, omittingEmptySubsequences: false)
            guard let keyword = parts.first, let start = keyword.first, start.isASCIIAlphanumeric,
                keyword.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash })
            else { return nil }
            var value: String?
            if parts.count == 2 {
                guard !parts[1].isEmpty,
                    parts[1].allSatisfy({ $0 > 0x20 && $0 != ASCII.delete && $0 != ASCII.equals })
                else { return nil }
                value = parts[1].text
            }
            parameters.append(Parameter(keyword: keyword.map(\.asciiUppercased).text, value: value))
        }
        return Set(parameters.map(\.keyword)).count == parameters.count ? parameters : nil
    }
}
