import CommandLineTool
import Delivery
import Glibc
import Unix

/// Changes that a person makes to queued messages: hold, release, reroute, remove.
enum QueueSurgery {
    enum Operation {
        case hold, release, remove
        /// To a server, `HOST:PORT`; nil: back to where the domains say.
        case reroute(String?)
    }

    /// Somebody who sends a message has it for so long at most, usually.
    private static let patience = 50

    /// Does it to the messages named; `all` names every one. A message that cannot be had does not stop the others.
    static func run(_ operation: Operation, _ names: [String], in queue: Queue) throws -> ExitCode {
        var code = ExitCode.ok
        for name in names {
            do throws(ToolFailure) {
                if name == "all" {
                    for id in try identifiers(queue) { try change(id, operation, queue, mayBeGone: true) }
                } else {
                    guard let id = QueueID(name) else { throw unknown(name) }
                    try change(id, operation, queue, mayBeGone: false)
                }
            } catch {
                Diagnostics.say(error.message)
                code = error.exitCode
            }
        }
        return code
    }

    /// Prints a message as it stands in the queue.
    static func show(_ name: String, in queue: Queue) throws -> ExitCode {
        guard let id = QueueID(name) else { throw unknown(name) }
        do throws(SystemError) {
            Output.standard.write(try Files.read("\(queue.path)/\(id).bsmtp"))
        } catch {
            if error.code == ENOENT { throw unknown(name) }
            throw error
        }
        return .ok
    }

    private static func identifiers(_ queue: Queue) throws(ToolFailure) -> [QueueID] {
        do throws(SystemError) {
            return try queue.identifiers()
        } catch {
            throw ToolFailure(queue: queue.path, error, creating: false)
        }
    }

    private static func unknown(_ name: String) -> ToolFailure {
        ToolFailure(.noInput, "\(name): no such message in the queue: --list names those that are there")
    }

    private static func change(
        _ id: QueueID, _ operation: Operation, _ queue: Queue, mayBeGone: Bool
    ) throws(ToolFailure) {
        var failure: ToolFailure?
        do throws(SystemError) {
            for _ in 0..<patience {
                switch try QueueEntry.open(id, in: queue, locking: true) {
                case .open(let entry): return try apply(operation, entry)
                case .gone:
                    if mayBeGone { return }
                    throw SystemError(code: ENOENT, operation: "find", subject: id.description)
                case .damaged(let problem):
                    if case .remove = operation { return try queue.removeDamaged(id) }
                    failure = ToolFailure(damaged: id, problem, in: queue)
                case .busy: usleep(100_000)
                }
                if failure != nil { break }
            }
        } catch {
            if error.code == ENOENT { throw unknown(id.description) }
            throw ToolFailure(error)
        }
        throw failure
            ?? ToolFailure(.temporaryFailure, "\(id): is being sent just now: try again later")
    }

    private static func apply(_ operation: Operation, _ entry: QueueEntry) throws(SystemError) {
        switch operation {
        case .hold: if !entry.isHeld { try entry.record([.held]) }
        case .release: if entry.isHeld { try entry.record([.released]) }
        case .reroute(let server): try entry.record([.rerouted(server)])
        case .remove: try entry.remove()
        }
    }
}
