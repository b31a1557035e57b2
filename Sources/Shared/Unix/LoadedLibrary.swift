import Glibc

/// A shared library of the system, loaded when it is first needed and kept for the life of the process.
package struct LoadedLibrary: @unchecked Sendable {
    private let handle: UnsafeMutableRawPointer
    /// The name it was found by.
    package let name: String

    /// Loads the first of `names` that the system has; nil when it has none.
    package init?(_ names: [String]) {
        for name in names {
            if let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) {
                self.handle = handle
                self.name = name
                return
            }
        }
        return nil
    }

    /// The function `name` as the C function type `type` (`@convention(c)`), or nil when the library lacks it.
    ///
    /// The caller answers for the type being that of the library's documentation.
    package func symbol<Function>(_ name: String, as type: Function.Type) -> Function? {
        guard let address = dlsym(handle, name) else { return nil }
        // Safe as far as the given type is the function's own: a C function pointer is one address.
        return unsafeBitCast(address, to: type)
    }
}
