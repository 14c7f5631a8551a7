import Foundation
import Yams

/// The shape of a configuration file: which settings stand on which lines. The values themselves
/// are read by swift-configuration.
struct YAMLDocument {
    static let bytesMax = 1 << 20

    let path: String
    /// By setting key as written.
    private(set) var lines: [String: Int] = [:]

    /// Reads the file and finds everything that is wrong with its shape.
    ///
    /// - Returns: `nil` where there is nothing to read values from.
    static func read(path: String, problems: inout [ConfigurationProblem]) -> YAMLDocument? {
        func refuse(_ place: String, _ text: String, _ advice: String) {
            problems.append(
                ConfigurationProblem(place: place, name: "", text: text, advice: advice))
        }
        let text: String
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard data.count <= bytesMax, let decoded = String(bytes: data, encoding: .utf8) else {
                refuse(path, "is not a configuration file", "write at most 1 MiB of UTF-8 text")
                return nil
            }
            text = decoded
        } catch {
            refuse(path, "can't be read (\(reason(error)))", "check the path and its permissions")
            return nil
        }
        do {
            guard let root = try Yams.compose(yaml: text) else { return nil }
            if root.null != nil { return nil }
            guard let mapping = root.mapping else {
                refuse(
                    "\(path):1", "is not a list of settings", "write lines like node_type: storage")
                return nil
            }
            return YAMLDocument(path: path, mapping: mapping, problems: &problems)
        } catch let error as YamlError {
            let (line, text) = explain(error)
            refuse("\(path):\(line)", text, "write lines like node_type: storage")
        } catch {
            refuse(path, "is not YAML (\(error))", "write lines like node_type: storage")
        }
        return nil
    }

    private init(
        path: String, mapping: Node.Mapping, problems: inout [ConfigurationProblem]
    ) {
        self.path = path
        let known = Set(Setting.allCases.map(\.key))
            .union(Setting.allCases.filter(\.mayBeInFile).map(\.fileKey))
        for (keyNode, value) in mapping {
            let line = keyNode.mark?.line ?? 1
            let key = keyNode.string ?? ""
            func refuse(_ text: String, _ advice: String) {
                problems.append(
                    ConfigurationProblem(
                        place: "\(path):\(line)", name: key, text: text, advice: advice))
            }
            guard known.contains(key) else {
                let plain = key.lowercased().replacing("-", with: "_")
                let nearest = Suggestion.nearest(to: plain, among: known.sorted())
                refuse(
                    "there is no such setting",
                    nearest.map { "did you mean \($0)?" }
                        ?? "see docs/CONFIGURATION.md for all settings")
                continue
            }
            lines[key] = line
            let isList = Setting.allCases.contains { $0.key == key && $0.isList }
            if value.mapping != nil {
                refuse("holds further settings", "write one value after the colon")
            } else if value.scalar?.string.isEmpty ?? false || value.null != nil {
                refuse("is empty", "write a value after the colon or remove the line")
            } else if let sequence = value.sequence {
                if !isList { refuse("is a list", "write one value after the colon") }
                if sequence.contains(where: { $0.scalar == nil }) {
                    refuse("holds more than plain values", "write a list of plain values")
                }
            }
        }
    }

    private static func explain(_ error: YamlError) -> (line: Int, text: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, "is not YAML (\(problem))")
        case .duplicatedKeysInMapping(let duplicates, let context):
            (
                context.mark.line,
                "the same setting is given twice (\(duplicates.joined(separator: ", ")))"
            )
        default: (1, "is not YAML (\(error))")
        }
    }

    static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let system = underlying ?? error as NSError
        guard system.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
        return String(cString: strerror(Int32(system.code)))
    }
}
