/// Names and labels as Prometheus' text format wants them (exposition format 0.0.4).
enum MetricName {
    /// Letters, digits and underscores, ours by the prefix: `raft.fsync` is `dst_raft_fsync`.
    static func name(_ label: String) -> String {
        let plain = String(
            label.map { character in
                character.isASCII && (character.isLetter || character.isNumber) ? character : "_"
            })
        return plain.hasPrefix("dst_") ? plain : "dst_" + plain
    }

    /// `{code="200",operation="GetObject"}`, sorted; empty for none.
    static func labels(_ dimensions: [(String, String)]) -> String {
        if dimensions.isEmpty { return "" }
        let pairs = dimensions.sorted { $0 < $1 }.map { name, value in
            let plain = String(
                name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
            let quoted = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(plain)=\"\(quoted)\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    /// `labels` with one more at the end.
    static func adding(_ name: String, _ value: String, to labels: String) -> String {
        labels.isEmpty
            ? "{\(name)=\"\(value)\"}" : String(labels.dropLast()) + ",\(name)=\"\(value)\"}"
    }
}
