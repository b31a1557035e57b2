/// Why something that needs OpenSSL was not done, in words.
package struct OpenSSLError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// The library is not on this machine.
    package static let missing = OpenSSLError(
        "OpenSSL 3 was not found (libcrypto.so.3, libssl.so.3): install package libssl3")
}
