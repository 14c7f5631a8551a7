import Core
import Foundation
import Messages

/// The cluster map.
extension SystemChange {
    private struct Place: Equatable {
        var nodes: [UInt8] = []
        var next: [UInt8] = []
    }

    /// All of the changes, or none: in the order assign, begin, commit, cancel, so that one command
    /// may begin and commit a partition whose nodes only change their order.
    func changePartitions(_ command: ProtoChangePartitions) throws(SQLiteError) -> [UInt8] {
        guard command.epoch == UInt64(writer.registers[.epoch]) else {
            return result(.staleEpoch)
        }
        var places: [UInt32: Place] = [:]
        func place(_ partition: UInt32) throws(SQLiteError) -> Place {
            if let place = places[partition] { return place }
            return try stored(partition)
        }
        for list in command.assign.map(\.nodes) + command.begin.map(\.next) {
            for node in list where !(try isStorage(node)) {
                return result(.noSuchNode, "no storage node of the cluster")
            }
        }
        for assign in command.assign {
            guard try place(assign.partition) == Place() else {
                return result(.invalidCommand, "partition \(assign.partition) has nodes")
            }
            places[assign.partition] = Place(nodes: assign.nodes.flatMap { $0 })
        }
        for begin in command.begin {
            let found = try place(begin.partition)
            guard !found.nodes.isEmpty, found.next.isEmpty else {
                return result(.invalidCommand, "partition \(begin.partition) cannot begin to move")
            }
            places[begin.partition] = Place(nodes: found.nodes, next: begin.next.flatMap { $0 })
        }
        for partition in command.commit + command.cancel {
            let found = try place(partition)
            guard !found.next.isEmpty else {
                return result(.invalidCommand, "partition \(partition) does not move")
            }
            let isCommit = command.commit.contains(partition)
            places[partition] = Place(nodes: isCommit ? found.next : found.nodes)
        }
        if places.isEmpty { return result(.none) }
        let revision = nextRevision()
        for partition in places.keys.sorted() {
            guard let place = places[partition] else { continue }
            try connection.statement(
                """
                INSERT OR REPLACE INTO partitions (partition, nodes, next, revision)
                VALUES (?1, ?2, ?3, ?4)
                """
            ).bind(1, Int64(partition)).bind(2, place.nodes).bind(3, place.next)
                .bind(4, revision).run()
        }
        writer.registers[.epoch] += 1
        return result(.none)
    }

    private func stored(_ partition: UInt32) throws(SQLiteError) -> Place {
        let row = try connection.statement(
            "SELECT nodes, next FROM partitions WHERE partition = ?1")
        row.bind(1, Int64(partition))
        defer { row.reset() }
        return try row.step() ? Place(nodes: row.bytes(0), next: row.bytes(1)) : Place()
    }

    private func isStorage(_ id: Data) throws(SQLiteError) -> Bool {
        let row = try connection.statement(
            "SELECT 1 FROM nodes WHERE id = ?1 AND role = 2 AND membership <> 4")
        row.bind(1, id)
        defer { row.reset() }
        return try row.step()
    }
}
