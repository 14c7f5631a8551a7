import Core
import Foundation
import Messages

/// Answers questions about the system range from one committed state.
struct SystemReader {
    let connection: SQLiteConnection

    func answer(_ query: ProtoSystemQuery.OneOf_Kind) throws(SQLiteError) -> [UInt8] {
        try connection.statement("BEGIN").run()
        defer { try? connection.statement("COMMIT").run() }
        switch query {
        case .getBucket(let query): return try bucket(query)
        case .listBuckets(let query): return try buckets(query)
        case .getChanges(let query):
            let changes = try changes(since: query.since)
            return bytes { $0.changes = changes }
        case .getJoinToken(let query): return try joinToken(query.id)
        case .listJoinTokens: return try joinTokens()
        }
    }

    func failure(_ failure: ProtoCatalogueFailure, _ detail: String = "") -> [UInt8] {
        bytes {
            $0.failure = failure
            $0.detail = detail
        }
    }

    private func bytes(_ fill: (inout ProtoSystemAnswer) -> Void) -> [UInt8] {
        // Encoding to memory fails for text that is no UTF-8 only, which decoding refused.
        (try? ProtoSystemAnswer.with(fill).serializedBytes()) ?? []
    }

    private func bucket(_ query: ProtoGetBucket) throws(SQLiteError) -> [UInt8] {
        let row = try connection.statement("SELECT value FROM buckets WHERE name = ?1")
        row.bind(1, Data(query.name.utf8))
        defer { row.reset() }
        guard try row.step() else { return failure(.noSuchBucket) }
        let bucket = try decode(ProtoBucket.self, row.bytes(0))
        return bytes { $0.bucket = bucket }
    }

    private func buckets(_ query: ProtoListBuckets) throws(SQLiteError) -> [UInt8] {
        let rows = try connection.statement(
            "SELECT name, value FROM buckets WHERE name >= ?1 AND name > ?2 ORDER BY name")
        let prefix = Array(query.prefix.utf8)
        rows.bind(1, prefix).bind(2, Data(query.after.utf8))
        defer { rows.reset() }
        let limit = RangeReader.limit(query.limit)
        var list = ProtoBucketList()
        while try rows.step() {
            if !rows.withBytes(0, { ByteOrder.hasPrefix($0, prefix) }) { break }
            if list.buckets.count == limit {
                list.isTruncated = true
                break
            }
            list.buckets.append(try decode(ProtoBucket.self, rows.bytes(1)))
        }
        return bytes { $0.buckets = list }
    }

    // MARK: Join tokens

    private func joinToken(_ id: Data) throws(SQLiteError) -> [UInt8] {
        guard let token = try JoinTokens(connection: connection).token(id) else {
            return failure(.noSuchJoinToken)
        }
        return bytes { $0.joinToken = token }
    }

    private func joinTokens() throws(SQLiteError) -> [UInt8] {
        let tokens = try JoinTokens(connection: connection).all()
        return bytes { $0.joinTokens.tokens = tokens }
    }

    // MARK: The change feed

    private func changes(since: UInt64) throws(SQLiteError) -> ProtoChanges {
        let revision = try Registers.read(.revision, on: connection)
        let forgotten = try Registers.read(.deletionsFrom, on: connection)
        let asked = Int64(clamping: since)
        // Ahead of us: what the asker has is of another history.
        let isFull = since == 0 || asked < forgotten || asked > revision
        let from = isFull ? 0 : asked
        var changes = ProtoChanges()
        let cluster = try connection.statement("SELECT value FROM cluster WHERE revision > ?1")
        cluster.bind(1, from)
        if try cluster.step() { changes = try decode(ProtoChanges.self, cluster.bytes(0)) }
        cluster.reset()
        changes.revision = UInt64(revision)
        changes.isFull = isFull
        changes.epoch = UInt64(try Registers.read(.epoch, on: connection))
        if try Registers.read(.rangesRevision, on: connection) > from {
            let rows = try connection.statement("SELECT value FROM ranges ORDER BY range")
            while try rows.step() {
                changes.ranges.append(try decode(ProtoRangeBounds.self, rows.bytes(0)))
            }
        }
        try addRows(to: &changes, from: from)
        if !isFull { try addDeletions(to: &changes, from: from) }
        return changes
    }

    private func addRows(to changes: inout ProtoChanges, from: Int64) throws(SQLiteError) {
        let nodes = try connection.statement(
            "SELECT value FROM nodes WHERE revision > ?1 ORDER BY revision, id")
        nodes.bind(1, from)
        while try nodes.step() {
            changes.nodes.append(try decode(ProtoNode.self, nodes.bytes(0)))
        }
        let partitions = try connection.statement(
            """
            SELECT partition, nodes, next FROM partitions
            WHERE revision > ?1 ORDER BY revision, partition
            """)
        partitions.bind(1, from)
        while try partitions.step() {
            changes.partitions.append(
                .with {
                    $0.partition = UInt32(truncatingIfNeeded: partitions.integer(0))
                    $0.nodes = Self.ids(partitions.bytes(1))
                    $0.next = Self.ids(partitions.bytes(2))
                })
        }
        let buckets = try connection.statement(
            "SELECT value FROM buckets WHERE revision > ?1 ORDER BY revision, name")
        buckets.bind(1, from)
        while try buckets.step() {
            changes.buckets.append(try decode(ProtoBucket.self, buckets.bytes(0)))
        }
        let keys = try connection.statement(
            "SELECT value FROM access_keys WHERE revision > ?1 ORDER BY revision, id")
        keys.bind(1, from)
        while try keys.step() {
            changes.accessKeys.append(try decode(ProtoAccessKey.self, keys.bytes(0)))
        }
    }

    private func addDeletions(to changes: inout ProtoChanges, from: Int64) throws(SQLiteError) {
        let rows = try connection.statement(
            "SELECT kind, id FROM deletions WHERE revision > ?1 ORDER BY revision")
        rows.bind(1, from)
        // One that was made again after it was deleted is there.
        let present = Set(changes.accessKeys.map(\.id))
        while try rows.step() {
            switch SystemDeletion(rawValue: rows.integer(0)) {
            case .bucket:
                let id = rows.bytes(1).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                changes.deletedBuckets.append(id)
            case .accessKey:
                let id = rows.text(1)
                if !present.contains(id) { changes.deletedAccessKeys.append(id) }
            case nil: throw SQLiteError.damage("an unknown kind of deletion")
            }
        }
    }

    private static func ids(_ bytes: [UInt8]) -> [Data] {
        stride(from: 0, to: bytes.count, by: NodeID.byteCount).map {
            Data(bytes[$0..<min(bytes.count, $0 + NodeID.byteCount)])
        }
    }
}
