import Core
import Foundation
import Logging

extension NodeConfiguration {
    /// Reads and checks all settings.
    ///
    /// - Throws: ``ConfigurationProblems`` with everything that is wrong, not only the first thing.
    package static func load(_ sources: ConfigurationSources) async throws -> LoadedConfiguration {
        var reader = await SettingReader(sources)
        let configuration = read(&reader)
        guard reader.problems.isEmpty, let configuration else {
            throw ConfigurationProblems(problems: reader.problems)
        }
        return LoadedConfiguration(
            configuration: configuration, warnings: reader.warnings,
            values: Setting.allCases.compactMap { reader.values[$0] })
    }

    /// - Returns: `nil` only where a problem was noted. Values that were refused are replaced by
    ///   stand-ins, so that the checks of combinations still run.
    private static func read(_ reader: inout SettingReader) -> NodeConfiguration? {
        let role = reader.choice(.nodeType, of: NodeRole.self)
        if role == nil {
            reader.miss(
                .nodeType, "is not set", "write coordinator, storage or gateway")
        }
        checkBackend(&reader)
        let listenAddress = reader.address(.listenAddress, defaultPort: nil)
        let configuration = NodeConfiguration(
            role: role ?? .gateway,
            label: readLabel(&reader) ?? "",
            listenAddress: listenAddress ?? standIn,
            advertiseAddress: readAdvertiseAddress(&reader, listen: listenAddress) ?? standIn,
            dataPath: readDataPath(&reader) ?? "",
            replicationFactor: reader.whole(.replicationFactor, in: 1...8) ?? 3,
            seeds: reader.addresses(.seedNodes),
            capacityBytes: reader.gigabytes(.capacity, min: capacityBytesMin) ?? 0,
            zone: reader.label(.zone) ?? "",
            clusterName: reader.label(.clusterName) ?? "",
            clusterSecrets: reader.hexKeys(.clusterSecret, countMax: 2),
            bootstrapExpect: readBootstrapExpect(&reader) ?? 1,
            formation: readFormation(&reader) ?? .auto,
            rootKey: readRootKey(&reader),
            encryptionKeys: reader.hexKeys(.encryptionKey, countMax: 8),
            region: reader.label(.s3Region) ?? "",
            domain: readDomain(&reader),
            metadataRanges: reader.whole(.metadataRanges, in: 1...64) ?? 1,
            repairDelay: reader.duration(.repairDelay, in: .seconds(10)...week) ?? week,
            garbageGrace: reader.duration(.garbageGrace, in: .seconds(1)...week) ?? week,
            sweepAge: reader.duration(.sweepAge, in: .seconds(1)...year) ?? year,
            logLevel: reader.choice(.logLevel, of: Logger.Level.self) ?? .info,
            logFormat: reader.choice(.logFormat, of: LogFormat.self) ?? .auto,
            discovery: readDiscovery(&reader),
            lifecycle: reader.choice(.lifecycle, of: Lifecycle.self) ?? .none)
        if let role { configuration.check(role, &reader) }
        return role == nil ? nil : configuration
    }

    /// Where the node listens, for tools beside it that need nothing else; `nil` where that is not
    /// said or makes no sense.
    package static func listenAddress(_ sources: ConfigurationSources) async -> HostPort? {
        var reader = await SettingReader(sources)
        return reader.address(.listenAddress, defaultPort: nil)
    }

    /// Less holds not even one segment per disk and the index.
    package static let capacityBytesMin = 64 << 20
    private static let year = Duration.seconds(365 * 86400)
    private static let week = Duration.seconds(7 * 86400)
    private static let standIn = HostPort(host: "0.0.0.0", port: HostPort.defaultPort)

    // MARK: Single settings

    private static func readLabel(_ reader: inout SettingReader) -> String? {
        if let label = reader.label(.nodeID) { return label }
        let host = String(reader.machine.hostName.prefix(64))
        guard reader.values[.nodeID] == nil else { return nil }
        guard reader.isLabel(host) else {
            reader.miss(
                .nodeID, "is not set and the host name is no label",
                "write 1 to 64 letters, digits, dots, hyphens or underscores")
            return nil
        }
        reader.derive(.nodeID, host, from: "the host name")
        return host
    }

    private static func readAdvertiseAddress(
        _ reader: inout SettingReader, listen: HostPort?
    ) -> HostPort? {
        if let address = reader.address(.advertiseAddress, defaultPort: listen?.port) {
            if address.isWildcard {
                reader.refuse(
                    .advertiseAddress, "'\(address)' is no address that others can connect to",
                    "write this machine's address and port")
            }
            return address
        }
        guard let listen, reader.values[.advertiseAddress] == nil else { return nil }
        let address: HostPort
        let from: String
        if !listen.isWildcard {
            (address, from) = (listen, "LISTEN_ADDRESS")
        } else if let own = reader.machine.address {
            (address, from) = (HostPort(host: own, port: listen.port), "the machine's address")
        } else if let own = HostPort(reader.machine.hostName, defaultPort: listen.port) {
            (address, from) = (own, "the host name")
        } else {
            reader.miss(
                .advertiseAddress, "is not set and this machine has no address",
                "write the address and port that other nodes connect to")
            return nil
        }
        reader.derive(.advertiseAddress, "\(address)", from: from)
        return address
    }

    private static func readDataPath(_ reader: inout SettingReader) -> String? {
        guard let path = reader.text(.dataPath) else { return nil }
        if path.hasPrefix("/"), path != "/", !path.contains("\0") { return path }
        reader.refuse(
            .dataPath, "'\(path)' is not an absolute path of a directory",
            "write a path such as /opt/dstorage/data")
        return nil
    }

    private static func readBootstrapExpect(_ reader: inout SettingReader) -> Int? {
        guard let text = reader.text(.bootstrapExpect) else { return nil }
        if let count = Int(text), (1...9).contains(count), count % 2 == 1 { return count }
        reader.refuse(
            .bootstrapExpect, "'\(text)' is not an odd number from 1 to 9",
            "write 3 (or 5): an even number of coordinators survives no more failures than one less"
        )
        return nil
    }

    private static func readFormation(_ reader: inout SettingReader) -> Formation? {
        guard let text = reader.text(.formCluster) else { return nil }
        switch text.lowercased() {
        case "auto": return .auto
        case "never": return .never
        default: break
        }
        if let date = try? Date(text, strategy: .iso8601) {
            return .until(WallTime(milliseconds: Int64(date.timeIntervalSince1970 * 1000)))
        }
        reader.refuse(
            .formCluster, "'\(text)' is not known",
            "write auto, never, or the time after which no cluster is formed, such as "
                + "2026-12-31T00:00:00Z")
        return nil
    }

    private static func readRootKey(_ reader: inout SettingReader) -> RootKey? {
        let accessKey = reader.text(.rootAccessKey)
        let secretKey = reader.text(.rootSecretKey)
        if let accessKey, accessKey.utf8.count < 3 || !reader.isLabel(accessKey) {
            reader.refuse(
                .rootAccessKey, "'\(accessKey)' can't be signed with",
                "write 3 to 64 letters, digits, dots, hyphens or underscores")
        }
        if let secretKey {
            let isPrintable = secretKey.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            if !isPrintable || !(8...256).contains(secretKey.utf8.count) {
                reader.refuse(
                    .rootSecretKey, "can't be signed with",
                    "write 8 to 256 printable ASCII characters without spaces")
            }
        }
        if accessKey != nil, secretKey == nil {
            reader.miss(
                .rootSecretKey, "is not set, but ROOT_ACCESS_KEY is",
                "set ROOT_SECRET_KEY or ROOT_SECRET_KEY_FILE too")
        }
        if accessKey == nil, secretKey != nil {
            reader.miss(
                .rootAccessKey, "is not set, but ROOT_SECRET_KEY is",
                "set ROOT_ACCESS_KEY or ROOT_ACCESS_KEY_FILE too")
        }
        guard let accessKey, let secretKey else { return nil }
        return RootKey(accessKey: accessKey, secretKey: Redacted(secretKey))
    }

    private static func readDomain(_ reader: inout SettingReader) -> String? {
        guard let text = reader.text(.s3Domain) else { return nil }
        if let parsed = HostPort(text, defaultPort: 1), parsed.host == text {
            return text.lowercased()
        }
        reader.refuse(
            .s3Domain, "'\(text)' is not a domain", "write a name such as s3.example.com")
        return nil
    }
}
