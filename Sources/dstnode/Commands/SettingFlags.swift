import ArgumentParser
import Foundation
import NodeConfiguration

/// Every setting as a flag. A test holds this list against ``Setting``.
struct SettingFlags: ParsableArguments {
    @Option(name: .customLong("config"), help: "A YAML file of settings (node_type: storage …).")
    var config: String?

    @Option(help: "\(Setting.nodeType.summary)")
    var nodeType: String?
    @Option(help: "\(Setting.nodeID.summary)")
    var nodeId: String?
    @Option(
        name: [.customLong("address"), .customLong("listen-address")],
        help: "\(Setting.listenAddress.summary)")
    var listenAddress: String?
    @Option(help: "\(Setting.advertiseAddress.summary)")
    var advertiseAddress: String?
    @Option(help: "\(Setting.dataPath.summary)")
    var dataPath: String?
    @Option(help: "\(Setting.storageBackend.summary)")
    var storageBackend: String?
    @Option(
        name: [.customLong("replication"), .customLong("replication-factor")],
        help: "\(Setting.replicationFactor.summary)")
    var replicationFactor: String?
    @Option(
        name: [.customLong("discovery"), .customLong("discovery-method")],
        help: "\(Setting.discoveryMethod.summary)")
    var discoveryMethod: String?
    @Option(
        name: [.customLong("seeds"), .customLong("seed-nodes")],
        help: "\(Setting.seedNodes.summary)")
    var seedNodes: String?
    @Option(
        name: .customLong("discovery-dns-names"), help: "\(Setting.discoveryDNSNames.summary)")
    var discoveryDNSNames: String?
    @Option(
        name: .customLong("discovery-dns-server"), help: "\(Setting.discoveryDNSServer.summary)")
    var discoveryDNSServer: String?
    @Option(help: "\(Setting.discoveryPort.summary)")
    var discoveryPort: String?
    @Option(help: "\(Setting.discoveryAzureClientID.summary)")
    var discoveryAzureClientId: String?
    @Option(help: "\(Setting.lifecycle.summary)")
    var lifecycle: String?
    @Option(
        name: [.customLong("capacity"), .customLong("capacity-gb")],
        help: "\(Setting.capacity.summary)")
    var capacityGb: String?
    @Option(help: "\(Setting.zone.summary)")
    var zone: String?
    @Option(help: "\(Setting.clusterName.summary)")
    var clusterName: String?
    @Option(help: "A file with CLUSTER_SECRET. \(Setting.clusterSecret.summary)")
    var clusterSecretFile: String?
    @Option(help: "A file with JOIN_TOKEN. \(Setting.joinToken.summary)")
    var joinTokenFile: String?
    @Option(help: "\(Setting.bootstrapExpect.summary)")
    var bootstrapExpect: String?
    @Option(help: "\(Setting.formCluster.summary)")
    var formCluster: String?
    @Option(help: "\(Setting.rootAccessKey.summary)")
    var rootAccessKey: String?
    @Option(help: "A file with ROOT_SECRET_KEY. \(Setting.rootSecretKey.summary)")
    var rootSecretKeyFile: String?
    @Option(help: "A file with ENCRYPTION_KEY. \(Setting.encryptionKey.summary)")
    var encryptionKeyFile: String?
    @Option(name: .customLong("s3-region"), help: "\(Setting.s3Region.summary)")
    var s3Region: String?
    @Option(name: .customLong("s3-domain"), help: "\(Setting.s3Domain.summary)")
    var s3Domain: String?
    @Option(help: "\(Setting.metadataRanges.summary)")
    var metadataRanges: String?
    @Option(help: "\(Setting.repairDelay.summary)")
    var repairDelay: String?
    @Option(help: "\(Setting.garbageGrace.summary)")
    var garbageGrace: String?
    @Option(help: "\(Setting.sweepAge.summary)")
    var sweepAge: String?
    @Option(help: "\(Setting.logLevel.summary)")
    var logLevel: String?
    @Option(help: "\(Setting.logFormat.summary)")
    var logFormat: String?

    /// What was given, by setting key.
    var given: [String: String] {
        func key(_ setting: Setting) -> String { setting.isSecret ? setting.fileKey : setting.key }
        let all: [(Setting, String?)] = [
            (.nodeType, nodeType), (.nodeID, nodeId), (.listenAddress, listenAddress),
            (.advertiseAddress, advertiseAddress), (.dataPath, dataPath),
            (.storageBackend, storageBackend), (.replicationFactor, replicationFactor),
            (.discoveryMethod, discoveryMethod), (.seedNodes, seedNodes), (.capacity, capacityGb),
            (.zone, zone), (.clusterName, clusterName), (.clusterSecret, clusterSecretFile),
            (.joinToken, joinTokenFile), (.bootstrapExpect, bootstrapExpect),
            (.formCluster, formCluster), (.rootAccessKey, rootAccessKey),
            (.rootSecretKey, rootSecretKeyFile), (.encryptionKey, encryptionKeyFile),
            (.s3Region, s3Region), (.s3Domain, s3Domain), (.metadataRanges, metadataRanges),
            (.repairDelay, repairDelay), (.garbageGrace, garbageGrace), (.sweepAge, sweepAge),
            (.logLevel, logLevel), (.logFormat, logFormat),
            (.discoveryDNSNames, discoveryDNSNames), (.discoveryDNSServer, discoveryDNSServer),
            (.discoveryPort, discoveryPort), (.discoveryAzureClientID, discoveryAzureClientId),
            (.lifecycle, lifecycle),
        ]
        return Dictionary(
            uniqueKeysWithValues: all.compactMap { setting, text in
                text.map { (key(setting), $0) }
            })
    }

    /// Reads flags, environment and YAML; says on standard error what is wrong and ends with
    /// `EX_CONFIG`.
    func load() async throws -> LoadedConfiguration {
        do {
            return try await NodeConfiguration.load(
                ConfigurationSources(
                    flags: given, environment: ProcessInfo.processInfo.environment,
                    yamlPath: config ?? ProcessInfo.processInfo.environment["DST_CONFIG"],
                    machine: .current()))
        } catch let error as ConfigurationProblems {
            let count = error.problems.count
            // The problems last: a log is read from its end.
            Terminal.complain(
                "\(count) problem\(count == 1 ? "" : "s"); nothing was started\n\(error)")
            throw ExitCode(EX_CONFIG)
        }
    }
}
