import AdminAPI
import ClusterView
import Core
import Foundation
import Logging
import Messages
import S3

/// What an operator decides about nodes: `POST /-/admin/v1/nodes/{label or UUID}/{drain, undrain,
/// remove}`.
struct AdminNodes: Sendable {
    let door: AdminCatalogue
    let cluster: ClusterState
    let waitUntil: AdminApplication.Wait
    let logger: Logger

    func change(_ path: String, _ query: String) async throws {
        let parts = path.dropFirst(AdminPaths.nodes.count + 1).split(
            separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let bytes = PercentCoding.decode(parts[0].utf8) else {
            throw S3Error(.methodNotAllowed, "The admin API has no \(path).")
        }
        let node = try find(String(decoding: bytes, as: UTF8.self))
        switch parts[1] {
        case "drain":
            try checkDrain(node)
            try await set(node, .draining)
        case "undrain":
            guard node.membership == .draining || node.membership == .member else {
                throw Self.refused("\(node.label) is not draining.")
            }
            try await set(node, .member)
        case "remove":
            if query != "force" { try checkRemoval(node) }
            try await set(node, .left)
        default: throw S3Error(.methodNotAllowed, "The admin API has no \(path).")
        }
    }

    /// A label may have passed to a replacement: the one that is in use counts.
    private func find(_ name: String) throws -> ClusterState.Node {
        let named = cluster.nodes.values.filter { $0.label == name || "\($0.id)" == name }
        let living = named.filter { $0.membership == .member || $0.membership == .draining }
        guard let node = living.first ?? named.first(where: { $0.membership != .left }) else {
            throw Self.refused("No node has the label or id '\(name)'.")
        }
        return node
    }

    private func checkDrain(_ node: ClusterState.Node) throws {
        guard node.role == .storage else {
            throw Self.refused(
                "\(node.label) is a \(node.role.rawValue): it holds no chunks. Stop it, then remove "
                    + "it.")
        }
        let others = cluster.nodes(of: .storage).filter { $0.isMember && $0.id != node.id }
        guard others.count >= cluster.replicationFactor else {
            throw Self.refused(
                "Without \(node.label) there are \(others.count) storage nodes for "
                    + "\(cluster.replicationFactor) copies: add one first.")
        }
    }

    private func checkRemoval(_ node: ClusterState.Node) throws {
        let state = cluster.liveness[node.id]?.state ?? .unknown
        guard state == .down || state == .stopped else {
            throw Self.refused("\(node.label) is running: stop it first, or use force.")
        }
        let held = cluster.partitionCount(of: node.id)
        guard held == 0 else {
            throw Self.refused(
                "\(node.label) still counts as a holder of \(held) partitions: drain it, or wait until "
                    + "their copies are made elsewhere (REPAIR_DELAY), or use force.")
        }
        if node.role == .coordinator {
            let members = cluster.nodes(of: .coordinator).filter { $0.isMember }
            let others = members.filter {
                $0.id != node.id && cluster.liveness[$0.id]?.state == .up
            }
            guard others.count > members.count / 2 else {
                throw Self.refused(
                    "Without \(node.label) there are \(others.count) coordinators up: start another "
                        + "first, or use force.")
            }
        }
    }

    private func set(_ node: ClusterState.Node, _ membership: ProtoMembership) async throws {
        try await door.propose(
            .setMembership(
                .with {
                    $0.node = node.id.data
                    $0.membership = membership
                }))
        // So that the status that is asked for next shows it.
        _ = await waitUntil { $0.nodes[node.id]?.membership == membership }
        logger.notice(
            "a node's membership was changed by an operator",
            metadata: ["node": "\(node.label) \(node.id)", "membership": "\(membership)"])
    }

    private static func refused(_ text: String) -> S3Error { S3Error(.invalidRequest, text) }
}
