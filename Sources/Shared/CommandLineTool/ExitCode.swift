/// How a tool ends: the codes of sysexits(3), and 1 for a negative answer.
package struct ExitCode: Equatable, Sendable {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    /// 0: done.
    package static let ok = ExitCode(0)
    /// 1: the answer is no (spam, an error finding, nothing matched).
    package static let negative = ExitCode(1)
    /// 64: wrong usage.
    package static let usage = ExitCode(64)
    /// 65: the input is not what it should be.
    package static let dataError = ExitCode(65)
    /// 66: no such input, or it cannot be read.
    package static let noInput = ExitCode(66)
    /// 68: no such host or address.
    package static let noHost = ExitCode(68)
    /// 69: a service says no for good.
    package static let unavailable = ExitCode(69)
    /// 70: an error in the tool itself.
    package static let software = ExitCode(70)
    /// 71: the operating system refuses.
    package static let osError = ExitCode(71)
    /// 73: an output cannot be made.
    package static let cannotCreate = ExitCode(73)
    /// 74: reading or writing failed.
    package static let ioError = ExitCode(74)
    /// 75: not now; the same may work later.
    package static let temporaryFailure = ExitCode(75)
    /// 76: the other side breaks the protocol.
    package static let protocolError = ExitCode(76)
    /// 77: no permission.
    package static let noPermission = ExitCode(77)
    /// 78: the configuration is wrong.
    package static let configuration = ExitCode(78)
}

/// A reason to stop the tool: what is said on standard error, and the exit code.
package struct ToolFailure: Error, Equatable, CustomStringConvertible {
    package let exitCode: ExitCode
    /// `subject: what is wrong: what to do`, without the tool's name.
    package let message: String

    package init(_ exitCode: ExitCode, _ message: String) {
        self.exitCode = exitCode
        self.message = message
    }

    package var description: String { message }
}
