import Bytes
import Unix

/// Why a name in another script has no ASCII form.
package struct InternationalNameError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// Domain names in other scripts (IDNA 2008 by UTS 46, nontransitional), by the system's libidn2 when a name needs it.
package enum InternationalName {
    /// The A-label form of a name that is not all ASCII: `xn--…`. ASCII names come back as they are.
    package static func ascii(_ name: String) throws(InternationalNameError) -> String {
        if name.utf8.allSatisfy({ $0 < 0x80 }) { return name }
        guard let library = Library.shared else {
            throw InternationalNameError(
                description: "names outside of ASCII need libidn2: install it, or write the name as xn--")
        }
        return try library.ascii(name)
    }

    private struct Library: Sendable {
        typealias ToASCII =
            @convention(c) (
                UnsafePointer<CChar>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, Int32
            ) -> Int32
        typealias Free = @convention(c) (UnsafeMutableRawPointer?) -> Void
        typealias Describe = @convention(c) (Int32) -> UnsafePointer<CChar>?

        let toASCII: ToASCII
        let free: Free
        let describe: Describe

        static let shared = Library()

        private init?() {
            guard let library = LoadedLibrary(["libidn2.so.0", "libidn2.so"]),
                let toASCII = library.symbol("idn2_to_ascii_8z", as: ToASCII.self),
                let free = library.symbol("idn2_free", as: Free.self),
                let describe = library.symbol("idn2_strerror", as: Describe.self)
            else { return nil }
            self.toASCII = toASCII
            self.free = free
            self.describe = describe
        }

        func ascii(_ name: String) throws(InternationalNameError) -> String {
            // IDN2_NFC_INPUT and IDN2_NONTRANSITIONAL.
            var result: UnsafeMutablePointer<CChar>?
            let code = toASCII(name, &result, 1 | 16)
            defer { free(result) }
            guard code == 0, let result else {
                throw InternationalNameError(description: describe(code).map { String(cString: $0) } ?? "error \(code)")
            }
            return String(cString: result)
        }
    }
}
