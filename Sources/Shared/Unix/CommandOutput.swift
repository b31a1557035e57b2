import Glibc

/// What a program of `/bin/sh -c` prints, for secrets that a program keeps.
package enum CommandOutput {
    /// Runs `command` to its end and returns what it has printed, at most `limit` octets, and its exit code (128 and the
    /// signal when one ended it). Its standard input and error are ours.
    package static func read(_ command: String, limit: Int) throws(SystemError) -> (bytes: [UInt8], status: Int32) {
        guard !command.utf8.contains(0), let stream = popen(command, "re") else { throw .last("run", command) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while bytes.count <= limit {
            // Safe: the count is that of the buffer.
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        let ending = pclose(stream)
        guard bytes.count <= limit else { throw SystemError(code: EFBIG, operation: "read from", subject: command) }
        let signal = ending & 0x7F
        return (bytes, signal == 0 ? (ending >> 8) & 0xFF : 128 + signal)
    }
}
