import Core
import Logging

/// What one node was told: read once, checked as a whole, handed down as a value.
package struct NodeConfiguration: Sendable, Equatable {
    /// When a blank coordinator may take part in forming a new cluster.
    package enum Formation: Sendable, Equatable {
        case auto, never
        case until(WallTime)
    }

    package enum LogFormat: String, Sendable, CaseIterable {
        case auto, text, json
    }

    package var role: NodeRole
    /// `NODE_ID`: for people. The identity is the UUID in the data directory.
    package var label: String
    package var listenAddress: HostPort
    package var advertiseAddress: HostPort
    package var dataPath: String
    package var replicationFactor: Int
    package var seeds: [HostPort]
    /// Storage nodes: bytes the node may fill. 0 for other roles.
    package var capacityBytes: Int
    package var zone: String
    package var clusterName: String
    /// One or two of 32 bytes; the first is used, both are accepted.
    package var clusterSecrets: [Redacted<[UInt8]>]
    package var bootstrapExpect: Int
    package var formation: Formation
    /// Gateways; `nil` where none is given.
    package var rootKey: RootKey?
    /// Key-encryption keys of 32 bytes; the first seals, all open. Empty unless a gateway.
    package var encryptionKeys: [Redacted<[UInt8]>]
    package var region: String
    package var domain: String?
    package var metadataRanges: Int
    package var repairDelay: Duration
    package var garbageGrace: Duration
    package var sweepAge: Duration
    package var logLevel: Logger.Level
    package var logFormat: LogFormat

    package var discovery: Discovery
    package var lifecycle: Lifecycle

    /// A source of candidates: `DISCOVERY_METHOD` lists some.
    package enum DiscoveryMethod: String, Sendable, CaseIterable {
        case `static`, dns, aws, gcp, azure, cloud

        /// Finds machines by the cluster's name.
        package var isCloud: Bool { self != .static && self != .dns }
    }

    /// How coordinators are found.
    package struct Discovery: Sendable, Equatable {
        /// In order, each once; not empty.
        package var methods: [DiscoveryMethod]
        /// As written: `host:port`, or a name that starts with an underscore.
        package var dnsNames: [String]
        package var dnsServer: HostPort?
        package var port: Int
        package var azureClientID: String?
    }

    /// Who tells that this machine is about to go.
    package enum Lifecycle: String, Sendable, CaseIterable {
        case none, aws, gcp, azure, cloud
    }

    /// `ZONE=auto`: ``zone`` is to be asked for.
    package var isZoneAutomatic: Bool { zone == Self.automaticZone }
    package static let automaticZone = "auto"

    package struct RootKey: Sendable, Equatable {
        package let accessKey: String
        package let secretKey: Redacted<String>

        package init(accessKey: String, secretKey: Redacted<String>) {
            self.accessKey = accessKey
            self.secretKey = secretKey
        }
    }
}
