import Core
import Foundation
import Messages

/// One command of the system range at work. Everything is checked before anything is written; each
/// command that changes something takes the next revision.
struct SystemChange {
    let writer: StoreWriter
    /// The proposer's clock.
    let time: Int64

    var connection: SQLiteConnection { writer.connection }

    func perform(_ kind: ProtoSystemCommand.OneOf_Kind) throws(SQLiteError) -> [UInt8] {
        if case .initialize(let command) = kind { return try initialize(command) }
        if try cluster() == nil {
            return result(.invalidCommand, "the cluster is not initialised")
        }
        switch kind {
        case .initialize: return result(.none)
        case .putNode(let command): return try putNode(command.node)
        case .setMembership(let command): return try setMembership(command)
        case .createBucket(let command): return try createBucket(command)
        case .deleteBucket(let command): return try deleteBucket(command)
        case .putAccessKey(let command): return try putAccessKey(command.key)
        case .setAccessKeyEnabled(let command): return try setEnabled(command)
        case .deleteAccessKey(let command): return try deleteAccessKey(command)
        case .changePartitions(let command): return try changePartitions(command)
        case .putJoinToken(let command): return try putJoinToken(command.token)
        case .revokeJoinToken(let command): return try revokeJoinToken(command.id)
        }
    }

    func result(
        _ failure: ProtoCatalogueFailure, _ detail: String = "", bucket: ProtoBucket? = nil
    ) -> [UInt8] {
        let result = ProtoSystemResult.with {
            $0.failure = failure
            $0.detail = detail
            $0.epoch = UInt64(writer.registers[.epoch])
            $0.revision = UInt64(writer.registers[.revision])
            if let bucket { $0.bucket = bucket }
        }
        // Encoding to memory fails for text that is no UTF-8 only, which decoding refused.
        return (try? result.serializedBytes()) ?? []
    }

    func nextRevision() -> Int64 { writer.registers.next(.revision) }

    // MARK: The cluster

    private func cluster() throws(SQLiteError) -> ProtoChanges? {
        let row = try connection.statement("SELECT value FROM cluster")
        defer { row.reset() }
        return try row.step() ? try decode(ProtoChanges.self, row.bytes(0)) : nil
    }

    private func initialize(_ command: ProtoInitializeCluster) throws(SQLiteError) -> [UInt8] {
        if let cluster = try cluster() {
            return cluster.cluster == command.cluster
                ? result(.none) : result(.invalidCommand, "the cluster is another one")
        }
        let labels = command.coordinators.map(\.label).filter { !$0.isEmpty }
        if Set(labels).count != labels.count { return result(.duplicateNodeLabel) }
        if Set(command.coordinators.map(\.id)).count != command.coordinators.count {
            return result(.invalidCommand, "a coordinator is named twice")
        }
        let revision = nextRevision()
        let value = ProtoChanges.with {
            $0.cluster = command.cluster
            $0.clusterName = command.name
            $0.settings = command.settings
        }
        try connection.statement("INSERT INTO cluster (row, value, revision) VALUES (1, ?1, ?2)")
            .bind(1, (try? value.serializedBytes()) ?? []).bind(2, revision).run()
        for bounds in command.ranges {
            try connection.statement("INSERT INTO ranges (range, value) VALUES (?1, ?2)")
                .bind(1, Int64(bounds.range)).bind(2, (try? bounds.serializedBytes()) ?? []).run()
        }
        writer.registers[.rangesRevision] = revision
        for node in command.coordinators {
            var node = node
            if node.membership == .unknown { node.membership = .member }
            if node.joinedMs == 0 { node.joinedMs = time }
            try write(node, revision: revision)
            writer.registers[.nodeCount] += 1
        }
        writer.registers[.epoch] = 1
        return result(.none)
    }

    // MARK: Buckets

    private func createBucket(_ command: ProtoCreateBucket) throws(SQLiteError) -> [UInt8] {
        let existing = try connection.statement("SELECT value FROM buckets WHERE name = ?1")
        existing.bind(1, Data(command.name.utf8))
        defer { existing.reset() }
        if try existing.step() {
            let bucket = try decode(ProtoBucket.self, existing.bytes(0))
            return result(.bucketAlreadyExists, bucket: bucket)
        }
        let taken = try connection.statement("SELECT 1 FROM buckets WHERE id = ?1")
        taken.bind(1, RangeSchema.column(command.id))
        defer { taken.reset() }
        if try taken.step() { return result(.invalidCommand, "the bucket's id is taken") }
        if writer.registers[.bucketCount] >= CatalogueLimits.bucketsMax {
            return result(.tooMany, "buckets")
        }
        let bucket = ProtoBucket.with {
            $0.id = command.id
            $0.name = command.name
            $0.createdMs = time
            $0.owner = command.owner
        }
        try connection.statement(
            "INSERT INTO buckets (name, id, value, revision) VALUES (?1, ?2, ?3, ?4)"
        ).bind(1, Data(command.name.utf8)).bind(2, RangeSchema.column(command.id))
            .bind(3, (try? bucket.serializedBytes()) ?? []).bind(4, nextRevision()).run()
        writer.registers[.bucketCount] += 1
        return result(.none, bucket: bucket)
    }

    private func deleteBucket(_ command: ProtoDeleteBucket) throws(SQLiteError) -> [UInt8] {
        try connection.statement("DELETE FROM buckets WHERE id = ?1")
            .bind(1, RangeSchema.column(command.id)).run()
        guard connection.changeCount > 0 else { return result(.noSuchBucket) }
        writer.registers[.bucketCount] -= 1
        try addDeletion(.bucket, Data(command.id.bigEndianBytes))
        return result(.none)
    }

    // MARK: Access keys

    private func accessKey(_ id: String) throws(SQLiteError) -> ProtoAccessKey? {
        let row = try connection.statement("SELECT value FROM access_keys WHERE id = ?1")
        row.bind(1, id)
        defer { row.reset() }
        return try row.step() ? try decode(ProtoAccessKey.self, row.bytes(0)) : nil
    }

    private func write(_ key: ProtoAccessKey) throws(SQLiteError) {
        try connection.statement(
            "INSERT OR REPLACE INTO access_keys (id, value, revision) VALUES (?1, ?2, ?3)"
        ).bind(1, key.id).bind(2, (try? key.serializedBytes()) ?? []).bind(3, nextRevision()).run()
    }

    private func putAccessKey(_ key: ProtoAccessKey) throws(SQLiteError) -> [UInt8] {
        let old = try accessKey(key.id)
        if old == nil {
            if writer.registers[.accessKeyCount] >= CatalogueLimits.accessKeysMax {
                return result(.tooMany, "access keys")
            }
            writer.registers[.accessKeyCount] += 1
        }
        var key = key
        if key.createdMs == 0 { key.createdMs = old?.createdMs ?? time }
        if key != old { try write(key) }
        return result(.none)
    }

    private func setEnabled(_ command: ProtoSetAccessKeyEnabled) throws(SQLiteError) -> [UInt8] {
        guard var key = try accessKey(command.id) else { return result(.noSuchAccessKey) }
        if key.isEnabled != command.isEnabled {
            key.isEnabled = command.isEnabled
            try write(key)
        }
        return result(.none)
    }

    private func deleteAccessKey(_ command: ProtoDeleteAccessKey) throws(SQLiteError) -> [UInt8] {
        try connection.statement("DELETE FROM access_keys WHERE id = ?1").bind(1, command.id).run()
        guard connection.changeCount > 0 else { return result(.noSuchAccessKey) }
        writer.registers[.accessKeyCount] -= 1
        try addDeletion(.accessKey, Data(command.id.utf8))
        return result(.none)
    }

    // MARK: The change feed

    /// Remembers a deletion for those who follow, and forgets the oldest.
    private func addDeletion(_ kind: SystemDeletion, _ id: Data) throws(SQLiteError) {
        try connection.statement("INSERT INTO deletions (revision, kind, id) VALUES (?1, ?2, ?3)")
            .bind(1, nextRevision()).bind(2, kind.rawValue).bind(3, id).run()
        writer.registers[.deletionCount] += 1
        if writer.registers[.deletionCount] <= CatalogueLimits.deletionsMax { return }
        let oldest = try connection.statement("SELECT min(revision) FROM deletions")
        if try oldest.step() { writer.registers[.deletionsFrom] = oldest.integer(0) }
        oldest.reset()
        try connection.statement("DELETE FROM deletions WHERE revision = ?1")
            .bind(1, writer.registers[.deletionsFrom]).run()
        writer.registers[.deletionCount] -= 1
    }
}
