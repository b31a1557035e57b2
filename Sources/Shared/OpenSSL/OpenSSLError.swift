import Unix

/// Why something that needs OpenSSL was not done, in words.
package struct OpenSSLError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// The library is not on this machine.
    package static let missing = OpenSSLError(
        "OpenSSL 3 was not found (libcrypto.so.3, libssl.so.3): install package libssl3")
}

extension LoadedLibrary {
    /// A function by its C type, which the use of the result tells.
    func find<Function>(_ name: String) throws(OpenSSLError) -> Function {
        guard let function = symbol(name, as: Function.self) else {
            throw OpenSSLError("\(self.name) has no \(name)")
        }
        return function
    }
}
