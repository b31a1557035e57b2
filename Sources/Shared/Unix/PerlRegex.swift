import Bytes
import Glibc
import Synchronization

/// Why a regular expression cannot be used.
package enum PerlRegexError: Error, Equatable, CustomStringConvertible {
    /// The system has no PCRE2.
    case missingLibrary
    /// What PCRE2 says of the pattern, and the byte it speaks of.
    case syntax(String, offset: Int)

    package var description: String {
        switch self {
        case .missingLibrary:
            "regular expressions need PCRE2, which is not here: install libpcre2-8-0 (Debian) or pcre2 (Fedora)"
        case .syntax(let reason, let offset): "\(reason) at byte \(offset) of the expression"
        }
    }
}

/// A Perl regular expression over bytes, by the system's PCRE2 (libpcre2-8), loaded at first use.
///
/// Matching takes bounded time: an expression that tries too much gives `.limited`. Not for use by two threads at once.
package final class PerlRegex {
    package struct Options: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// `/i`
        package static let caseless = Options(rawValue: 0x0000_0008)
        /// `/s`
        package static let dotMatchesLineEnd = Options(rawValue: 0x0000_0020)
        /// `/x`
        package static let extended = Options(rawValue: 0x0000_0080)
        /// `/m`
        package static let multiline = Options(rawValue: 0x0000_0400)
        /// Pattern and subject are UTF-8, and letters are those of Unicode (PCRE2_UTF, PCRE2_UCP).
        package static let unicode = Options(rawValue: 0x000A_0000)
    }

    package enum Outcome: Equatable, Sendable {
        case match(Range<Int>)
        case none
        /// A limit of time or memory was met before the answer was known.
        case limited
    }

    private let pattern: PerlPattern
    private let scratch: PerlMatchScratch

    package init(_ pattern: [UInt8], _ options: Options) throws(PerlRegexError) {
        self.pattern = try PerlPattern(pattern, options, isFast: true)
        scratch = try PerlMatchScratch()
    }

    /// The first match at or after `start`; ranges count in `bytes`.
    package func firstMatch(in bytes: Span<UInt8>, from start: Int = 0) -> Outcome {
        pattern.firstMatch(in: bytes, from: start, scratch)
    }
}

/// What a match needs beside its expression: one for each thread, for any number of expressions.
package final class PerlMatchScratch {
    private let library: PCRE2Library
    fileprivate let matchData: OpaquePointer

    private let groups: Int

    /// - Parameter groups: how many groups of a match can be asked for.
    package init(groups: Int = 0) throws(PerlRegexError) {
        self.groups = groups
        guard let library = PCRE2Library.loaded else { throw .missingLibrary }
        guard let matchData = library.matchDataCreate(UInt32(groups + 1), nil) else {
            throw .syntax("out of memory", offset: 0)
        }
        self.library = library
        self.matchData = matchData
    }

    deinit { library.matchDataFree(matchData) }

    /// Where a group of the last match lies; nil when it has no part in it.
    package func range(ofGroup group: Int) -> Range<Int>? {
        guard group <= groups, let places = library.places(matchData) else { return nil }
        // Safe: the vector of places has a pair for each group, as it was created.
        let (low, high) = (places[group * 2], places[group * 2 + 1])
        return low >= 0 && low <= high ? low..<high : nil
    }
}

/// A compiled expression, for any number of threads at once: what changes while it matches stands in a scratch.
///
/// @unchecked: PCRE2 does not change compiled code after it is made (pcre2api(3), multithreading).
package final class PerlPattern: @unchecked Sendable {
    private let library: PCRE2Library
    private let code: OpaquePointer
    /// It was compiled to machine code.
    private let isFast: Bool

    /// - Parameter isFast: compiles to machine code, which takes three times as long and matches faster; what is matched
    ///   a few times is better off without.
    package init(_ pattern: [UInt8], _ options: PerlRegex.Options, isFast: Bool) throws(PerlRegexError) {
        guard let library = PCRE2Library.loaded else { throw .missingLibrary }
        self.library = library
        self.isFast = isFast
        code = try library.compile(pattern, options.rawValue, isFast: isFast)
    }

    private init(_ library: PCRE2Library, _ code: OpaquePointer, isFast: Bool) {
        self.library = library
        self.code = code
        self.isFast = isFast
    }

    /// The same as machine code; itself when that cannot be made.
    package var fast: PerlPattern {
        let (library, code) = (library, code)
        guard !isFast,
            let copy = OpaquePointer(
                bitPattern: PerlPattern.copying.withLock { _ in UInt(bitPattern: library.codeCopy(code)) })
        else { return self }
        _ = library.jitCompile(copy, 1)
        return PerlPattern(library, copy, isFast: true)
    }

    /// The compiled expression as bytes, for `init(reading:)`; nil when that cannot be done.
    package var bytes: [UInt8]? {
        var codes: [OpaquePointer?] = [code]
        var bytes: UnsafeMutablePointer<UInt8>?
        var size = 0
        guard library.encode(&codes, 1, &bytes, &size, nil) == 1, let start = bytes else { return nil }
        defer { library.encodedFree(start) }
        // Safe: PCRE2 has made `size` bytes there, which are its until they are freed.
        return Array(UnsafeBufferPointer(start: start, count: size))
    }

    /// What `bytes` has given with the same PCRE2; nil when it was another one. The bytes must be just those: PCRE2 trusts
    /// what it reads.
    package convenience init?(reading bytes: [UInt8]) {
        guard let library = PCRE2Library.loaded, bytes.count > 16 else { return nil }
        var codes: [OpaquePointer?] = [nil]
        // Safe: PCRE2 has written the bytes, as the caller vouches for, and reads no others.
        let read = bytes.withUnsafeBufferPointer { library.decode(&codes, 1, $0.baseAddress, nil) }
        guard read == 1, let code = codes[0] else { return nil }
        self.init(library, code, isFast: false)
    }

    deinit {
        let (library, code) = (library, code)
        PerlPattern.copying.withLock { _ in library.codeFree(code) }
    }

    /// An expression that was read shares tables with its copies, whose users PCRE2 counts without regard for threads.
    private static let copying = Mutex(())

    /// The first match at or after `start`; ranges count in `bytes`.
    package func firstMatch(
        in bytes: Span<UInt8>, from start: Int = 0, _ scratch: PerlMatchScratch
    ) -> PerlRegex.Outcome {
        guard start <= bytes.count else { return .none }
        return bytes.withUnsafeBufferPointer { buffer in
            // Safe: pointer and length are those of the span; an empty one gets a pointer to one readable byte.
            withUnsafePointer(to: UInt8(0)) { empty in
                let subject = buffer.baseAddress ?? empty
                let data = scratch.matchData
                var result = library.match(code, subject, buffer.count, start, 0, data, library.context)
                if result == PCRE2Library.stackIsFull, isFast {
                    // Machine code has a small stack; the interpreter grows its own.
                    result = library.match(
                        code, subject, buffer.count, start, PCRE2Library.interpreted, data, library.context)
                }
                if result == PCRE2Library.noMatch { return .none }
                guard result >= 0, let places = library.places(data) else { return .limited }
                // Safe: the vector of places has one pair, as it was created.
                let (low, high) = (places[0], places[1])
                guard low <= high, high <= buffer.count else { return .none }
                return .match(low..<high)
            }
        }
    }
}

/// The functions of libpcre2-8 that `PerlRegex` calls.
private struct PCRE2Library: @unchecked Sendable {
    static let noMatch: Int32 = -1
    /// PCRE2_ERROR_JIT_STACKLIMIT
    static let stackIsFull: Int32 = -46
    /// PCRE2_NO_JIT
    static let interpreted: UInt32 = 0x0000_2000
    /// PCRE2_NEVER_UTF and PCRE2_NEVER_UCP: patterns match bytes, whatever they ask for, but where the caller wants text.
    private static let bytesOnly: UInt32 = 0x0000_1000 | 0x0000_0800
    /// Steps of one match; about 20 ms of the slowest kind.
    private static let matchLimit: UInt32 = 500_000
    /// Nesting of backtracking, which costs memory.
    private static let depthLimit: UInt32 = 50_000

    private typealias Compile =
        @convention(c) (
            UnsafePointer<UInt8>?, Int, UInt32, UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int>, OpaquePointer?
        ) -> OpaquePointer?
    private typealias ErrorMessage = @convention(c) (Int32, UnsafeMutablePointer<UInt8>?, Int) -> Int32
    typealias SetLimit = @convention(c) (OpaquePointer?, UInt32) -> Int32
    typealias Free = @convention(c) (OpaquePointer?) -> Void
    typealias Create = @convention(c) (OpaquePointer?) -> OpaquePointer?
    typealias MatchDataCreate = @convention(c) (UInt32, OpaquePointer?) -> OpaquePointer?
    typealias Match =
        @convention(c) (
            OpaquePointer?, UnsafePointer<UInt8>?, Int, Int, UInt32, OpaquePointer?, OpaquePointer?
        ) -> Int32
    typealias Places = @convention(c) (OpaquePointer?) -> UnsafeMutablePointer<Int>?

    typealias Encode =
        @convention(c) (
            UnsafeMutablePointer<OpaquePointer?>?, Int32, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?,
            UnsafeMutablePointer<Int>?, OpaquePointer?
        ) -> Int32
    typealias Decode =
        @convention(c) (UnsafeMutablePointer<OpaquePointer?>?, Int32, UnsafePointer<UInt8>?, OpaquePointer?) -> Int32
    typealias EncodedFree = @convention(c) (UnsafeMutablePointer<UInt8>?) -> Void
    typealias Copy = @convention(c) (OpaquePointer?) -> OpaquePointer?

    private let compile: Compile
    private let errorMessage: ErrorMessage
    let jitCompile: SetLimit
    let codeFree: Free
    let codeCopy: Copy
    let encode: Encode
    let decode: Decode
    let encodedFree: EncodedFree
    let matchDataCreate: MatchDataCreate
    let matchDataFree: Free
    let match: Match
    let places: Places
    /// The limits of every match. Never changed after it is made.
    let context: OpaquePointer

    static let loaded = PCRE2Library()

    private init?() {
        guard let library = LoadedLibrary(["libpcre2-8.so.0", "libpcre2-8.so"]) else { return nil }
        func find<Function>(_ name: String) -> Function? { library.symbol("\(name)_8", as: Function.self) }
        guard let compile: Compile = find("pcre2_compile"),
            let errorMessage: ErrorMessage = find("pcre2_get_error_message"),
            let jitCompile: SetLimit = find("pcre2_jit_compile"),
            let codeFree: Free = find("pcre2_code_free"),
            let codeCopy: Copy = find("pcre2_code_copy"),
            let encode: Encode = find("pcre2_serialize_encode"),
            let decode: Decode = find("pcre2_serialize_decode"),
            let encodedFree: EncodedFree = find("pcre2_serialize_free"),
            let matchDataCreate: MatchDataCreate = find("pcre2_match_data_create"),
            let matchDataFree: Free = find("pcre2_match_data_free"),
            let match: Match = find("pcre2_match"),
            let places: Places = find("pcre2_get_ovector_pointer"),
            let contextCreate: Create = find("pcre2_match_context_create"),
            let setMatchLimit: SetLimit = find("pcre2_set_match_limit"),
            let setDepthLimit: SetLimit = find("pcre2_set_depth_limit"),
            let context = contextCreate(nil)
        else { return nil }
        self.compile = compile
        self.errorMessage = errorMessage
        self.jitCompile = jitCompile
        self.codeFree = codeFree
        self.codeCopy = codeCopy
        self.encode = encode
        self.decode = decode
        self.encodedFree = encodedFree
        self.matchDataCreate = matchDataCreate
        self.matchDataFree = matchDataFree
        self.match = match
        self.places = places
        self.context = context
        _ = setMatchLimit(context, Self.matchLimit)
        _ = setDepthLimit(context, Self.depthLimit)
    }

    func compile(_ pattern: [UInt8], _ options: UInt32, isFast: Bool) throws(PerlRegexError) -> OpaquePointer {
        var code: Int32 = 0
        var offset = 0
        let isUnicode = options & PerlRegex.Options.unicode.rawValue != 0
        // One byte more, so that an empty pattern has an address too. Safe: the length is the pattern's own.
        let compiled = (pattern + [0]).withUnsafeBufferPointer {
            compile($0.baseAddress, pattern.count, options | (isUnicode ? 0 : Self.bytesOnly), &code, &offset, nil)
        }
        guard let compiled else {
            var text = [UInt8](repeating: 0, count: 256)
            let length = Int(errorMessage(code, &text, text.count))
            let reason = text.prefix(max(0, min(length, text.count))).text
            throw .syntax(reason.isEmpty ? "not understood" : reason, offset: offset)
        }
        // Without JIT the expression is interpreted: the same answers, slower.
        if isFast { _ = jitCompile(compiled, 1) }
        return compiled
    }
}
