/// Measures functions by their indentation, which swift-format guarantees.
enum FunctionLengths {
    struct Long {
        let place: String
        let count: Int
        let text: String
    }

    /// Functions, initializers and computed properties' accessors of more than `max` lines, first
    /// line to closing brace.
    static func longer(than max: Int, in lines: [SourceTree.Line]) -> [Long] {
        var found: [Long] = []
        for (index, line) in lines.enumerated() where isStart(line.code) {
            let indent = line.text.prefix { $0 == " " }
            let end = lines[index...].dropFirst().first { other in
                other.text == indent + "}" || other.text.hasPrefix(indent + "} ")
            }
            // A declaration without a body ends where the next sibling begins; skip it.
            guard let end, opensBody(lines, from: index, indent: indent.count) else { continue }
            let count = end.number - line.number + 1
            if count > max { found.append(Long(place: line.place, count: count, text: line.text)) }
        }
        return found
    }

    private static func isStart(_ code: String) -> Bool {
        let words = code.split(separator: " ", maxSplits: 6).map(String.init)
        return words.contains("func")
            || words.contains { $0.hasPrefix("init(") }
                && !code.contains(".init(") && !code.contains("self.init(")
    }

    /// The signature ends with `{` before anything else stands at its indentation.
    private static func opensBody(_ lines: [SourceTree.Line], from index: Int, indent: Int) -> Bool
    {
        for line in lines[index...] {
            let code = line.code.trimmingCharacters
            if code.hasSuffix("{") { return true }
            let isSibling =
                line.number > lines[index].number && !code.isEmpty
                && line.text.prefix { $0 == " " }.count <= indent && !code.hasPrefix(")")
                && !code.hasPrefix("{") && !code.hasPrefix("where")
            if isSibling || code.hasSuffix("}") { return false }
        }
        return false
    }
}

extension String {
    /// Without spaces at both ends.
    fileprivate var trimmingCharacters: String {
        var rest = Substring(self)
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
