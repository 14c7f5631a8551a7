import Core

/// What can be asked of a node. The number is on the wire and is never reused.
package struct Method: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    // Catalogue and consensus.
    package static let raft = Method(rawValue: 1)
    package static let raftSnapshot = Method(rawValue: 2)
    package static let propose = Method(rawValue: 10)
    package static let query = Method(rawValue: 11)
    package static let sweep = Method(rawValue: 12)
    // Cluster.
    package static let watch = Method(rawValue: 20)
    package static let heartbeat = Method(rawValue: 21)
    package static let status = Method(rawValue: 22)
    // Formation: also before there is a cluster.
    package static let formationProbe = Method(rawValue: 30)
    package static let formationPropose = Method(rawValue: 31)
    package static let formationDecide = Method(rawValue: 32)
    package static let formationWithdraw = Method(rawValue: 33)
    package static let join = Method(rawValue: 34)
    // Chunks.
    package static let chunkWrite = Method(rawValue: 50)
    package static let chunkRead = Method(rawValue: 51)
    package static let chunkDelete = Method(rawValue: 52)
    package static let chunkList = Method(rawValue: 53)
    package static let chunkPull = Method(rawValue: 54)
    package static let partitionPull = Method(rawValue: 55)

    package var description: String { MethodRule.of(self)?.name ?? "method-\(rawValue)" }
}

/// Which connection of the set a method uses, so that control is never stuck behind bulk.
package enum Lane: UInt8, Sendable, Hashable {
    case control = 1
    case bulk = 2
}

/// The lane of a method and who may call it. Checked at the server, before the handler runs.
package struct MethodRule: Sendable {
    package let name: String
    package let lane: Lane
    package let callers: Set<NodeRole>
    /// Formation methods alone may be called while one side is in no cluster yet.
    package let isAllowedBeforeFormation: Bool

    package static func of(_ method: Method) -> MethodRule? { table[method] }

    private static let table: [Method: MethodRule] = {
        let everyone = Set(NodeRole.allCases)
        func rule(
            _ name: String, _ lane: Lane, _ callers: Set<NodeRole>, beforeFormation: Bool = false
        ) -> MethodRule {
            MethodRule(
                name: name, lane: lane, callers: callers, isAllowedBeforeFormation: beforeFormation)
        }
        return [
            .raft: rule("raft", .control, [.coordinator]),
            .raftSnapshot: rule("raft.snapshot", .bulk, [.coordinator]),
            .propose: rule("catalogue.propose", .control, everyone),
            .query: rule("catalogue.query", .control, everyone),
            .sweep: rule("catalogue.sweep", .control, [.storage]),
            .watch: rule("cluster.watch", .control, everyone),
            .heartbeat: rule("cluster.heartbeat", .control, everyone),
            .status: rule("cluster.status", .control, everyone),
            .formationProbe: rule(
                "formation.probe", .control, everyone, beforeFormation: true),
            .formationPropose: rule(
                "formation.propose", .control, [.coordinator], beforeFormation: true),
            .formationDecide: rule(
                "formation.decide", .control, [.coordinator], beforeFormation: true),
            .formationWithdraw: rule(
                "formation.withdraw", .control, [.coordinator], beforeFormation: true),
            .join: rule("cluster.join", .control, everyone, beforeFormation: true),
            .chunkWrite: rule("chunk.write", .bulk, [.gateway, .coordinator]),
            .chunkRead: rule("chunk.read", .bulk, everyone),
            .chunkDelete: rule("chunk.delete", .bulk, [.gateway, .coordinator]),
            .chunkList: rule("chunk.list", .bulk, [.coordinator, .storage]),
            .chunkPull: rule("chunk.pull", .bulk, everyone),
            .partitionPull: rule("partition.pull", .bulk, [.coordinator]),
        ]
    }()
}
