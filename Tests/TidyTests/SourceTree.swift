import Foundation

/// The repository as the tests see it: text files, line by line.
struct SourceTree {
    struct Line {
        let file: String
        let number: Int
        let text: String

        /// Without a `//` comment; good enough where no string holds two slashes after a space.
        var code: String {
            guard let comment = text.range(of: "//") else { return text }
            let isInString = text[..<comment.lowerBound].count { $0 == "\"" } % 2 == 1
            return isInString ? text : String(text[..<comment.lowerBound])
        }

        var place: String { "\(file):\(number)" }
    }

    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Paths below `folder`, relative to the root, in order. Generated code is not ours.
    static func files(in folder: String, ending: String = ".swift") throws -> [String] {
        let base = root.appendingPathComponent(folder)
        let all = try FileManager.default.subpathsOfDirectory(atPath: base.path)
        return all.filter { $0.hasSuffix(ending) && !$0.contains("Generated/") }
            .sorted().map { "\(folder)/\($0)" }
    }

    static func lines(of file: String) throws -> [Line] {
        let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
            Line(file: file, number: $0.offset + 1, text: String($0.element))
        }
    }

    /// Modules: the folders of Sources that hold Swift.
    static func modules() throws -> [String] {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: root.appendingPathComponent("Sources").path)
        return try folders.sorted().filter { try !files(in: "Sources/\($0)").isEmpty }
    }
}
