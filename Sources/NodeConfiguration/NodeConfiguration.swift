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
    /// In place of the secret; storage nodes and gateways.
    package var joinToken: Redacted<JoinToken>?
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

    package struct RootKey: Sendable, Equatable {
        package let accessKey: String
        package let secretKey: Redacted<String>

        package init(accessKey: String, secretKey: Redacted<String>) {
            self.accessKey = accessKey
            self.secretKey = secretKey
        }
    }
}
