import Core
import Foundation
import NodeConfiguration

/// The node that shares this environment: a container's, where tools are run beside it.
enum LocalNode {
    /// Where it listens, as this machine reaches it.
    static func address() async -> HostPort {
        let environment = ProcessInfo.processInfo.environment
        let listen = await NodeConfiguration.listenAddress(
            ConfigurationSources(
                flags: [:], environment: environment, yamlPath: environment["DST_CONFIG"],
                machine: .current()))
        guard let listen, !listen.isWildcard else {
            return HostPort(host: "127.0.0.1", port: listen?.port ?? HostPort.defaultPort)
        }
        return listen
    }

    /// Whether the settings in `environment` are a coordinator's.
    static func isCoordinator(_ environment: [String: String]) -> Bool {
        environment[Setting.nodeType.name] == NodeRole.coordinator.rawValue
    }

    /// What stock clients would read, worked out from a gateway's own settings in `environment`;
    /// empty beside other nodes.
    ///
    /// - Throws: Where a file that is named can't be read.
    static func clientEnvironment(_ environment: [String: String]) throws -> [String: String] {
        guard environment[Setting.nodeType.name] == NodeRole.gateway.rawValue else { return [:] }
        var variables: [String: String] = [:]
        let listen = environment[Setting.listenAddress.name].flatMap { HostPort($0) }
        let port = listen?.port ?? HostPort.defaultPort
        let host = listen.map { $0.isWildcard ? "127.0.0.1" : $0.host } ?? "127.0.0.1"
        variables["AWS_ENDPOINT_URL"] = "http://\(HostPort(host: host, port: port))"
        variables["AWS_ACCESS_KEY_ID"] = try value(of: .rootAccessKey, environment)
        variables["AWS_SECRET_ACCESS_KEY"] = try value(of: .rootSecretKey, environment)
        variables["AWS_REGION"] = environment[Setting.s3Region.name]
        return variables.filter { !$0.value.isEmpty }
    }

    private static func value(
        of setting: Setting, _ environment: [String: String]
    ) throws -> String? {
        if let value = environment[setting.name], !value.isEmpty { return value }
        guard let path = environment[setting.fileName], !path.isEmpty else { return nil }
        return try String(contentsOfFile: path, encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
