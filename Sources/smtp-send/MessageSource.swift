import Bytes
import CommandLineTool
import Glibc
import Synchronization
import Unix

/// The messages of the command line, one after the other; several couriers may take from it.
final class MessageSource: Sendable {
    private struct State {
        var operands: ArraySlice<String>
    }

    private let envelope: EnvelopeOptions
    private let state: Mutex<State>

    init(_ arguments: Arguments, envelope: EnvelopeOptions) throws(ToolFailure) {
        self.envelope = envelope
        if envelope.recipients.isEmpty {
            throw ToolFailure(.usage, "no recipients: give --to ADDRESS")
        }
        let operands = arguments.operands.isEmpty ? ["-"] : arguments.operands
        if operands.count(where: { $0 == "-" }) > 1 {
            throw ToolFailure(.usage, "-: standard input can be read only once")
        }
        state = Mutex(State(operands: operands[...]))
    }

    /// The next message; nil when there are no more.
    func next() throws -> OutgoingMessage? {
        try state.withLock { state in
            guard let operand = state.operands.popFirst() else { return nil }
            return try message(operand)
        }
    }

    private func message(_ operand: String) throws -> OutgoingMessage {
        let content = operand == "-" ? try Self.standardInput() : try Self.file(operand)
        guard content.count > 0 else {
            throw ToolFailure(.dataError, "\(operand): is empty: there is no message to send")
        }
        return OutgoingMessage(
            name: operand, content: content, reversePath: envelope.reversePath ?? "", recipients: envelope.recipients)
    }

    private static func file(_ path: String) throws -> MessageContent {
        do throws(SystemError) {
            let mapping = try MessageContent.Mapping(path: path)
            return MessageContent(pieces: [.mapped(mapping, 0..<mapping.file.count)])
        } catch {
            // A pipe or a device is read as a stream.
            if error.code == ESPIPE { return MessageContent(try FileDescriptor.open(path, O_RDONLY).readAll()) }
            throw error
        }
    }

    /// Standard input, in memory up to a size and in a file without a name beyond it.
    private static func standardInput() throws -> MessageContent {
        let input = FileDescriptor(owning: 0, subject: "standard input")
        var bytes: [UInt8] = []
        while try input.read(into: &bytes) > 0 {}
        _ = input.release()
        return MessageContent(bytes)
    }
}
