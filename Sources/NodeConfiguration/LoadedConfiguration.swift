/// The configuration, what is odd about it, and where each value came from.
package struct LoadedConfiguration: Sendable {
    package let configuration: NodeConfiguration
    package let warnings: [ConfigurationProblem]
    /// One per setting that has a value, in the order of ``Setting``.
    package let values: [EffectiveValue]

    /// A table for people: name, value, origin. Secrets are redacted.
    package var report: String {
        let rows = values.map { ($0.setting.name, $0.text ?? "<redacted>", "\($0.origin)") }
        let nameWidth = rows.map { $0.0.count }.max() ?? 0
        let valueWidth = min(40, rows.map { $0.1.count }.max() ?? 0)
        return rows.map { name, value, origin in
            padded(name, nameWidth) + "  " + padded(value, valueWidth) + "  " + origin
        }.joined(separator: "\n")
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// One setting as it is in force.
package struct EffectiveValue: Sendable, Equatable {
    package let setting: Setting
    /// `nil` for a secret.
    package let text: String?
    package let origin: Origin
}
