import Foundation
import NodeConfiguration
import Testing

/// Holds docs/CONFIGURATION.md against the code. `REWRITE=1 swift test` writes the table anew.
@Suite struct DocumentationTests {
    private static let path = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/CONFIGURATION.md")
    private static let begin = "<!-- settings: written by REWRITE=1 swift test -->\n"
    private static let end = "<!-- end of settings -->\n"

    private static var table: String {
        var text = "\n| environment | YAML | flag | default | |\n|---|---|---|---|---|\n"
        for setting in Setting.allCases {
            let short = setting.shortFlag.map { "`--\($0)`, " } ?? ""
            let standard = setting.defaultText.map { "`\($0)`" } ?? ""
            let name =
                setting.mayBeInFile
                ? "`\(setting.name)`, `\(setting.fileName)`" : "`\(setting.name)`"
            let key =
                setting.mayBeInFile
                ? "`\(setting.key)`, `\(setting.fileKey)`" : "`\(setting.key)`"
            text += "| \(name) | \(key) | \(short)`--\(setting.flag)` | \(standard) "
            text += "| \(setting.summary) |\n"
        }
        return text + "\n"
    }

    @Test func `the table of settings is that of the code`() throws {
        let text = try String(contentsOf: Self.path, encoding: .utf8)
        let start = try #require(text.range(of: Self.begin)).upperBound
        let stop = try #require(text.range(of: Self.end)).lowerBound
        if ProcessInfo.processInfo.environment["REWRITE"] != nil {
            let new = text[..<start] + Self.table + text[stop...]
            try String(new).write(to: Self.path, atomically: true, encoding: .utf8)
            return
        }
        #expect(String(text[start..<stop]) == Self.table, "REWRITE=1 swift test writes it anew")
    }
}
