import ArgumentParser
import Core
import Foundation
import Logging
import NIOPosix
import NodeConfiguration

/// `dstnode dev`: three coordinators, five storage nodes and two gateways in this process, each
/// with its own directory and port, speaking to each other as they would across machines.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Run a whole cluster in one process, for trying it out.",
        discussion: """
            State is kept in --home: data, generated secrets, client.env for stock S3 clients. \
            DST_GATEWAY_PORTS (9000,9001), DST_NODE_PORTS (9010,9011,…,9017) and DST_CAPACITY \
            (20GB for each storage node) change the defaults; REPAIR_DELAY, GARBAGE_GRACE, \
            SWEEP_AGE, METADATA_RANGES, LOG_LEVEL and LOG_FORMAT are handed to all nodes.
            """)

    /// Settings that are handed on from the environment.
    static let handedOn: [Setting] = [
        .repairDelay, .garbageGrace, .sweepAge, .metadataRanges, .replicationFactor, .s3Region,
        .s3Domain, .clusterName, .logLevel, .logFormat,
    ]

    @Option(help: "Directory of the cluster's state.")
    var home = ".dstorage"

    func run() async throws {
        let home = DevHome(path: URL(fileURLWithPath: home).standardizedFileURL.path)
        let environment = ProcessInfo.processInfo.environment
        let plan = DevPlan(
            gatewayPorts: try ports(
                "DST_GATEWAY_PORTS", environment, DevPlan.defaultGatewayPorts),
            nodePorts: try ports("DST_NODE_PORTS", environment, DevPlan.defaultNodePorts))
        try FileManager.default.createDirectory(
            atPath: home.path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let secrets = try DevSecrets(in: home)
        let configurations = try await configurations(plan, home, secrets, environment)
        LoggingSetup.bootstrap(
            level: configurations[0].logLevel, format: configurations[0].logFormat)
        // The directories first: their locks tell a cluster that runs already from a foreign
        // process on a port.
        let bases: [NodeBase]
        do {
            bases = try configurations.map {
                try NodeBase($0, group: MultiThreadedEventLoopGroup.singleton)
            }
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode(EX_CONFIG)
        }
        let taken = plan.takenPorts()
        guard taken.isEmpty else {
            Terminal.complain(
                """
                port \(taken.map(String.init).joined(separator: ", ")) is taken by another \
                process: stop that one, or set DST_GATEWAY_PORTS (two ports) and DST_NODE_PORTS \
                (eight) to free ones
                """)
            throw ExitCode(EX_CONFIG)
        }
        try write(home, plan, secrets, region: configurations[0].region)
        try await NodeService.run(bases, logger: Logger(label: "dev"))
    }

    private func ports(
        _ name: String, _ environment: [String: String], _ standard: [Int]
    ) throws -> [Int] {
        guard let text = environment[name], !text.isEmpty else { return standard }
        guard let ports = DevPlan.ports(text, count: standard.count) else {
            throw ValidationError(
                "\(name): '\(text)' is not \(standard.count) different ports; write such as "
                    + standard.map(String.init).joined(separator: ","))
        }
        return ports
    }

    private func configurations(
        _ plan: DevPlan, _ home: DevHome, _ secrets: DevSecrets, _ environment: [String: String]
    ) async throws -> [NodeConfiguration] {
        let seeds = plan.nodes.filter { $0.role == .coordinator }.map { "127.0.0.1:\($0.port)" }
        var common = [
            Setting.clusterSecret.name: secrets.clusterSecret,
            Setting.encryptionKey.name: secrets.encryptionKey,
            Setting.rootAccessKey.name: secrets.rootAccessKey,
            Setting.rootSecretKey.name: secrets.rootSecretKey,
            Setting.seedNodes.name: seeds.joined(separator: ","),
            Setting.clusterName.name: "dev",
            Setting.capacity.name: environment["DST_CAPACITY"] ?? "20GB",
        ]
        for setting in Self.handedOn {
            if let value = environment[setting.name], !value.isEmpty {
                common[setting.name] = value
            }
        }
        var configurations: [NodeConfiguration] = []
        for node in plan.nodes {
            let own = [
                Setting.nodeType.name: node.role.rawValue, Setting.nodeID.name: node.name,
                Setting.listenAddress.name: "127.0.0.1:\(node.port)",
                Setting.dataPath.name: home.nodePath(node.name), Setting.zone.name: node.zone,
            ]
            do {
                let loaded = try await NodeConfiguration.load(
                    ConfigurationSources(
                        flags: [:], environment: common.merging(own) { $1 }, yamlPath: nil,
                        machine: .init(hostName: "localhost", address: nil)))
                configurations.append(loaded.configuration)
            } catch {
                Terminal.complain("\(error)")
                throw ExitCode(EX_CONFIG)
            }
        }
        return configurations
    }

    private func write(
        _ home: DevHome, _ plan: DevPlan, _ secrets: DevSecrets, region: String
    ) throws {
        let endpoint = plan.nodes.first { $0.role == .gateway }.map {
            "http://127.0.0.1:\($0.port)"
        }
        let variables = """
            # Read by stock S3 clients: . \(home.clientEnvironmentPath)
            export AWS_ENDPOINT_URL=\(endpoint ?? "")
            export AWS_ACCESS_KEY_ID=\(secrets.rootAccessKey)
            export AWS_SECRET_ACCESS_KEY=\(secrets.rootSecretKey)
            export AWS_REGION=\(region)
            export AWS_DEFAULT_REGION=\(region)

            """
        try DurableFile.replace(
            home.clientEnvironmentPath, with: Array(variables.utf8), mode: 0o600)
        let addresses = plan.nodes.map { "\($0.name) 127.0.0.1:\($0.port)\n" }.joined()
        try DurableFile.replace(home.addressesPath, with: Array(addresses.utf8), mode: 0o600)
    }
}
