import Core
import Foundation
import Messages

/// Nodes and what they are to the cluster.
extension SystemChange {
    func node(_ id: Data) throws(SQLiteError) -> ProtoNode? {
        let row = try connection.statement("SELECT value FROM nodes WHERE id = ?1")
        row.bind(1, id)
        defer { row.reset() }
        return try row.step() ? try decode(ProtoNode.self, row.bytes(0)) : nil
    }

    func write(_ node: ProtoNode, revision: Int64) throws(SQLiteError) {
        try connection.statement(
            """
            INSERT OR REPLACE INTO nodes (id, label, membership, role, value, revision)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """
        ).bind(1, node.id).bind(2, node.label).bind(3, node.membership.rawValue)
            .bind(4, node.role.rawValue).bind(5, (try? node.serializedBytes()) ?? [])
            .bind(6, revision).run()
    }

    func putNode(_ new: ProtoNode) throws(SQLiteError) -> [UInt8] {
        var node = new
        let old = try self.node(new.id)
        if let old {
            if old.membership == .left {
                return result(.noSuchNode, "the node was removed from the cluster")
            }
            if old.role != new.role { return result(.invalidCommand, "a node keeps its role") }
            // How a node is to the cluster is decided by SetMembership alone.
            node.membership = old.membership
            node.joinedMs = old.joinedMs
        } else {
            if node.membership != .draining { node.membership = .member }
            if node.joinedMs == 0 { node.joinedMs = time }
        }
        if node == old { return result(.none) }
        if try isLabelTaken(node) { return result(.duplicateNodeLabel, node.label) }
        if old == nil, !(try makeRoom()) { return result(.tooMany, "nodes") }
        if old == nil { writer.registers[.nodeCount] += 1 }
        try write(node, revision: nextRevision())
        return result(.none)
    }

    func setMembership(_ command: ProtoSetMembership) throws(SQLiteError) -> [UInt8] {
        guard var node = try self.node(command.node) else { return result(.noSuchNode) }
        if node.membership == command.membership { return result(.none) }
        if node.membership == .left {
            return result(.noSuchNode, "the node was removed from the cluster")
        }
        node.membership = command.membership
        if try isLabelTaken(node) { return result(.duplicateNodeLabel, node.label) }
        try write(node, revision: nextRevision())
        return result(.none)
    }

    /// Two living nodes may not share a label. One that is lost may be replaced under its label.
    private func isLabelTaken(_ node: ProtoNode) throws(SQLiteError) -> Bool {
        guard isLiving(node.membership), !node.label.isEmpty else { return false }
        let rows = try connection.statement(
            "SELECT 1 FROM nodes WHERE label = ?1 AND id <> ?2 AND membership IN (1, 2) LIMIT 1")
        rows.bind(1, node.label).bind(2, node.id)
        defer { rows.reset() }
        return try rows.step()
    }

    private func isLiving(_ membership: ProtoMembership) -> Bool {
        membership == .member || membership == .draining
    }

    /// Room for one more node: of the removed ones, the one removed first is forgotten.
    private func makeRoom() throws(SQLiteError) -> Bool {
        let count = try connection.statement(
            "SELECT count(*) FROM nodes WHERE membership IN (1, 2)")
        var living: Int64 = 0
        if try count.step() { living = count.integer(0) }
        count.reset()
        if living >= Limits.nodeCountMax { return false }
        if writer.registers[.nodeCount] < CatalogueLimits.nodeRowsMax { return true }
        let oldest = try connection.statement(
            "SELECT id FROM nodes WHERE membership = 4 ORDER BY revision, id LIMIT 1")
        let found = try oldest.step() ? oldest.data(0) : nil
        oldest.reset()
        guard let found else { return false }
        try connection.statement("DELETE FROM nodes WHERE id = ?1").bind(1, found).run()
        writer.registers[.nodeCount] -= 1
        return true
    }
}
