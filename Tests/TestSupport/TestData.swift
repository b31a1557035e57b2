import Foundation

/// The data files of a test: those of the `Data` folder beside the test's source.
public enum TestData {
    public static func path(_ name: String, _ source: String = #filePath) -> String {
        URL(fileURLWithPath: source).deletingLastPathComponent().appendingPathComponent("Data/\(name)").path
    }

    public static func bytes(_ name: String, _ source: String = #filePath) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name, source))))
    }

    /// The example messages that the repository ships, by name.
    public static func examples() throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Examples/messages").standardizedFileURL
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            (name, Array(try Data(contentsOf: folder.appendingPathComponent(name))))
        }
    }
}
