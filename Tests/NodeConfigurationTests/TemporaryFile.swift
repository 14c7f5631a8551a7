import Foundation

/// A directory that is gone when the test is.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "dst-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ text: String) throws -> String {
        let path = path + "/" + name
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
