/// Finds variables of the environment that look like settings of ours and are none: a setting has
/// no prefix, and `DST_…` belongs to the program and the scripts around it. Nearly a setting of
/// discovery counts too: without it a node would find nobody, and not say why.
enum ForeignVariables {
    static let prefix = "DST_"

    /// Read by the program besides ``Setting``, by its scripts, or by its tests.
    static let known: Set<String> = [
        "DST_CONFIG", "DST_HOME", "DST_GATEWAY_PORTS", "DST_NODE_PORTS", "DST_CAPACITY",
        "DST_READY_SECONDS", "DST_STOP_SECONDS", "DST_STRICT", "DST_BENCH", "DST_RAFT_SEEDS",
        "DST_CLUSTER_SEEDS", "DST_CLUSTER_SECONDS", "DST_MUTATIONS",
        "DST_AWS_EC2_ENDPOINT", "DST_AWS_IMDS_ENDPOINT", "DST_AWS_AUTOSCALING_ENDPOINT",
        "DST_AWS_SECRETS_ENDPOINT", "DST_GCP_COMPUTE_ENDPOINT", "DST_GCP_SECRETS_ENDPOINT",
        "DST_AZURE_IMDS_ENDPOINT", "DST_AZURE_ARM_ENDPOINT", "DST_AZURE_VAULT_ENDPOINT",
        "DST_TEST_COMPOSE", "DST_TEST_DIR", "DST_TEST_IMAGE", "DST_TEST_LOGS", "DST_TEST_LOG_LEVEL",
    ]

    /// One problem for each unknown variable, with what was probably meant.
    static func problems(in environment: [String: String]) -> [ConfigurationProblem] {
        let foreign = environment.filter {
            $0.key.hasPrefix(prefix) && !$0.value.isEmpty && !known.contains($0.key)
        }
        return foreign.keys.sorted().map {
            ConfigurationProblem(
                place: "environment \($0)", name: "", text: "there is no such setting",
                advice: advice(for: $0))
        } + discoveryProblems(in: environment)
    }

    /// What is far from every setting may be somebody else's: a platform names variables after its
    /// services.
    private static func discoveryProblems(
        in environment: [String: String]
    ) -> [ConfigurationProblem] {
        let settings = Setting.allCases.map(\.name).filter { $0.hasPrefix(discoveryPrefix) }
        let foreign = environment.filter {
            $0.key.hasPrefix(discoveryPrefix) && !$0.value.isEmpty && !settings.contains($0.key)
        }
        func bare(_ name: String) -> String { String(name.dropFirst(discoveryPrefix.count)) }
        return foreign.keys.sorted().compactMap { name in
            guard let meant = Suggestion.nearest(to: bare(name), among: settings.map(bare)) else {
                return nil
            }
            return ConfigurationProblem(
                place: "environment \(name)", name: "",
                text: "there is no such setting; known: \(settings.joined(separator: ", "))",
                advice: "did you mean \(discoveryPrefix)\(meant)?")
        }
    }

    private static let discoveryPrefix = "DISCOVERY_"

    private static func advice(for name: String) -> String {
        let settings = Setting.allCases.flatMap { setting in
            setting.mayBeInFile ? [setting.name, setting.fileName] : [setting.name]
        }
        let bare = String(name.dropFirst(prefix.count))
        if let meant = Suggestion.nearest(to: bare, among: settings) {
            return "did you mean \(meant)? Settings have no prefix"
        }
        if let meant = Suggestion.nearest(to: name, among: known.sorted()) {
            return "did you mean \(meant)?"
        }
        return "remove it; see docs/CONFIGURATION.md for all settings"
    }
}
