/// One thing that is wrong with the settings, or odd about them.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// Where to look: `node.yaml:12`, `environment`, `flag`; empty where a setting is missing.
    package let place: String
    /// The setting as it is written there; empty for a file as a whole.
    package let name: String
    /// What is wrong.
    package let text: String
    /// What to write instead.
    package let advice: String

    package var description: String {
        let subject = [place, name].filter { !$0.isEmpty }.joined(separator: ": ")
        return (subject.isEmpty ? "" : "\(subject): ") + "\(text); \(advice)"
    }
}

/// Everything that is wrong with the settings. Nothing was started.
package struct ConfigurationProblems: Error, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package var description: String { problems.map { "\($0)" }.joined(separator: "\n") }
}
