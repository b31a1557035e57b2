import Delivery
import Glibc
import Unix

/// Runs a program over a message: a filter, or a delivery.
enum MessageProgram {
    enum Outcome: Sendable {
        /// Its exit code, and what it printed.
        case exited(Int32, MessageContent)
        /// Why it did not come to an end of its own.
        case failed(String)
    }

    /// Gives `message` to the shell command and takes what it prints, at most `limit` bytes.
    static func run(
        _ command: String, _ message: MessageContent, environment: [String: String], timeout: Duration, limit: Int
    ) async -> Outcome {
        do throws(SystemError) {
            return try await converse(command, message, environment, timeout, limit)
        } catch {
            return .failed("\(error)")
        }
    }

    private static func converse(
        _ command: String, _ message: MessageContent, _ environment: [String: String], _ timeout: Duration, _ limit: Int
    ) async throws(SystemError) -> Outcome {
        guard let loop = EventLoop.current else { return .failed("no event loop") }
        let deadline = loop.deadline(after: timeout)
        var process = try ChildProcess.shell(command, environment: environment)
        guard let input = process.input.take(), let output = process.output.take() else { return .failed("no pipes") }
        input.makeNonBlocking()
        output.makeNonBlocking()
        let writing: PolledDescriptor
        let reading: PolledDescriptor
        do throws(SystemError) {
            writing = try PolledDescriptor(input)
            reading = try PolledDescriptor(output)
        } catch {
            process.kill()
            throw error
        }
        defer {
            writing.close()
            reading.close()
        }
        async let sent: Void = send(message, writing, deadline)
        let collected = await collection(reading, limit, deadline)
        let printed = try? collected.get()
        if printed == nil { writing.close() }
        await sent
        if case .failure(let error) = collected {
            process.kill()
            throw error
        }
        let ending = printed == nil ? nil : try await process.waitForEnd(deadline: deadline)
        guard let printed, let ending else {
            process.kill()
            return .failed(printed == nil ? "no end of output in time, or too much of it" : "did not end in time")
        }
        switch ending {
        case .exited(let code): return .exited(code, printed)
        case .signalled(let signal): return .failed("killed by signal \(signal)")
        }
    }

    private static func collection(
        _ pipe: PolledDescriptor, _ limit: Int, _ deadline: UInt64
    ) async -> Result<MessageContent?, SystemError> {
        do throws(SystemError) {
            return .success(try await collect(pipe, limit, deadline))
        } catch {
            return .failure(error)
        }
    }

    /// Writes all of the message; a filter that does not want all of it is no error.
    private static func send(_ message: MessageContent, _ pipe: PolledDescriptor, _ deadline: UInt64) async {
        var parts = message.parts
        while let part = parts.next() {
            guard await send(part, pipe, deadline) else { break }
        }
        pipe.close()
    }

    /// Writes a part of it; false when the program takes no more.
    private static func send(_ part: [UInt8], _ pipe: PolledDescriptor, _ deadline: UInt64) async -> Bool {
        var sent = 0
        while sent < part.count {
            let count = write(part, from: sent, to: pipe.number)
            if count >= 0 {
                sent += count
            } else if errno != EAGAIN {
                return false
            } else if await pipe.waitUntilWritable(deadline: deadline) != .ready {
                return false
            }
        }
        return true
    }

    private static func write(_ bytes: [UInt8], from start: Int, to number: Int32) -> Int {
        bytes[start...].withUnsafeBytes { part in
            retryingOnInterrupt { Glibc.write(number, part.baseAddress, part.count) }
        }
    }

    /// Everything that the filter prints; nil when it is too much or does not end in time.
    private static func collect(
        _ pipe: PolledDescriptor, _ limit: Int, _ deadline: UInt64
    ) async throws(SystemError) -> MessageContent? {
        let collected = SharedSpool()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = retryingOnInterrupt { read(pipe.number, &buffer, buffer.count) }
            if count == 0 { return try await collected.finish() }
            if count > 0 {
                try await collected.append(Array(buffer[..<count]))
                if collected.count > limit { return nil }
            } else if errno != EAGAIN {
                return nil
            } else if await pipe.waitUntilReadable(deadline: deadline) != .ready {
                return nil
            }
        }
    }
}
