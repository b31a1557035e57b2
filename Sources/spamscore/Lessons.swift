import SpamClassifier
import Synchronization
import Unix

/// Changes files of weights, one change after another: the lock of such a file belongs to the whole process.
enum Lessons {
    private static let gate = Mutex(())

    /// Opens the file, lets `change` change it, and writes it.
    static func teach<Value: Sendable>(
        _ file: String, _ change: (Learner) throws(WeightFileError) -> Value
    ) throws(WeightFileError) -> Value {
        try gate.withLock { _ throws(WeightFileError) in
            if let folder = Files.parent(of: file) { try? Files.makeDirectory(folder, mode: 0o700, parents: true) }
            let learner = try Learner(file)
            let value = try change(learner)
            try learner.commit()
            return value
        }
    }
}
