/// Where settings come from, strongest first: flags, environment, YAML, for secrets the service
/// manager's credentials, defaults.
package struct ConfigurationSources: Sendable {
    /// What the machine says about itself; used where a default depends on it.
    package struct Machine: Sendable {
        package var hostName: String
        /// Of the interface that leads outside; `nil` where there is none.
        package var address: String?

        package init(hostName: String, address: String?) {
            self.hostName = hostName
            self.address = address
        }
    }

    /// By ``Setting/key`` or ``Setting/fileKey``.
    package var flags: [String: String]
    package var environment: [String: String]
    /// `--config`.
    package var yamlPath: String?
    package var machine: Machine

    package init(
        flags: [String: String], environment: [String: String], yamlPath: String?, machine: Machine
    ) {
        self.flags = flags
        self.environment = environment
        self.yamlPath = yamlPath
        self.machine = machine
    }
}

/// Where one value was found.
package enum Origin: Sendable, Equatable, CustomStringConvertible {
    case flag(String)
    case environment(String)
    case yaml(path: String, line: Int)
    /// A file that the service manager handed over.
    case credential(String)
    case standard
    /// Worked out: from what.
    case derived(String)

    package var description: String {
        switch self {
        case .flag(let name): "flag --\(name)"
        case .environment(let name): "environment \(name)"
        case .yaml(let path, let line): "\(path):\(line)"
        case .credential(let path): path
        case .standard: "default"
        case .derived(let from): "default: \(from)"
        }
    }

    /// Stronger sources have the smaller rank.
    var rank: Int {
        switch self {
        case .flag: 0
        case .environment: 1
        case .yaml: 2
        case .credential: 3
        case .standard, .derived: 4
        }
    }
}
