import Core
import Foundation
import Messages

/// The rules of the system range; what each command does is in the files beside this one.
struct SystemMachine: StoreMachine {
    let applicationID: Int64 = 0x4453_5453  // "DSTS"
    let schemaVersion: Int64 = 2
    let schema = SystemSchema.tables
    let largeTables: Set<String> = ["commands"]

    /// Version 1 had no join tokens.
    func upgrade(from version: Int64, _ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
        guard version == 1 else { return false }
        try connection.execute(SystemSchema.joinTokens)
        return true
    }

    func execute(_ payload: [UInt8], in writer: StoreWriter) throws(SQLiteError) -> [UInt8] {
        let change = SystemChange(writer: writer, time: 0)
        guard let command = try? ProtoSystemCommand(serializedBytes: payload),
            command.id.count == CommandID.byteCount, let kind = command.kind,
            (0...CatalogueLimits.timeMillisecondsMax).contains(command.timeMs)
        else { return change.result(.invalidCommand, "the command cannot be decoded") }
        if let broken = SystemLimits.broken(by: kind) {
            return change.result(.invalidCommand, broken)
        }
        switch try CommandLedger.find(time: command.timeMs, id: command.id, in: writer) {
        case .applied(let result): return result
        case .forgotten:
            return change.result(.invalidCommand, "the command is older than the ledger")
        case .new: break
        }
        let result = try SystemChange(writer: writer, time: command.timeMs).perform(kind)
        try CommandLedger.add(time: command.timeMs, id: command.id, result: result, in: writer)
        return result
    }

    func answer(_ query: [UInt8], on connection: SQLiteConnection) throws(SQLiteError) -> [UInt8] {
        let reader = SystemReader(connection: connection)
        guard let query = try? ProtoSystemQuery(serializedBytes: query), let kind = query.kind
        else { return reader.failure(.invalidCommand, "the question cannot be decoded") }
        return try reader.answer(kind)
    }
}

/// What a command may not be, whatever the state.
enum SystemLimits {
    static func broken(by kind: ProtoSystemCommand.OneOf_Kind) -> String? {
        switch kind {
        case .initialize(let command): return initialize(command)
        case .putNode(let command): return node(command.node)
        case .setMembership(let command):
            if case .UNRECOGNIZED = command.membership { return "an unknown membership" }
            return command.membership == .unknown ? "a membership is missing" : id(command.node)
        case .createBucket(let command):
            let isNamed = (1...CatalogueLimits.bucketNameBytesMax)
                .contains(command.name.utf8.count)
            return isNamed && command.id != 0
                ? text(command.owner) : "a bucket has a name and an id"
        case .deleteBucket: return nil
        case .putAccessKey(let command):
            let isSized =
                !command.key.id.isEmpty
                && command.key.sealedSecret.count <= CatalogueLimits.textBytesMax
            return isSized
                ? text(command.key.id, command.key.label) : "a key has an id and a secret"
        case .setAccessKeyEnabled(let command): return text(command.id)
        case .deleteAccessKey(let command): return text(command.id)
        case .changePartitions(let command): return partitions(command)
        case .putJoinToken(let command): return joinToken(command.token)
        case .revokeJoinToken: return nil
        }
    }

    private static func text(_ texts: String...) -> String? {
        texts.allSatisfy { $0.utf8.count <= CatalogueLimits.textBytesMax }
            ? nil : "a text is too long"
    }

    private static func id(_ id: Data) -> String? {
        id.count == NodeID.byteCount ? nil : "an id of a node has 16 bytes"
    }

    private static func node(_ node: ProtoNode) -> String? {
        if let broken = id(node.id) { return broken }
        switch node.role {
        case .coordinator, .storage, .gateway: break
        case .unknown, .UNRECOGNIZED: return "an unknown role"
        }
        return text(node.label, node.address, node.zone, node.version)
    }

    private static func joinToken(_ token: ProtoJoinToken) -> String? {
        if token.id.count != JoinToken.idBytes { return "a token's id has 8 bytes" }
        if token.secretHash.count != 32 { return "the hash of a token's secret has 32 bytes" }
        switch token.role {
        case .storage, .gateway: break
        case .coordinator, .unknown, .UNRECOGNIZED:
            return "a join token is for storage nodes or for gateways"
        }
        if !(1...CatalogueLimits.timeMillisecondsMax).contains(token.expiresMs) {
            return "a join token expires"
        }
        return text(token.label)
    }

    private static func initialize(_ command: ProtoInitializeCluster) -> String? {
        if command.cluster.count != ClusterID.byteCount { return "an id of a cluster has 16 bytes" }
        if command.settings.partitionCount != UInt32(PartitionID.count) {
            return "there are \(PartitionID.count) partitions"
        }
        if !(1...16).contains(command.settings.replicationFactor) { return "1 to 16 copies" }
        if !(1...CatalogueLimits.rangesMax).contains(command.ranges.count) { return "no ranges" }
        var last: ProtoRangeBounds?
        for bounds in command.ranges {
            let start = (bounds.startBucket, Array(bounds.startKey))
            if let last {
                let isAfter =
                    last.startBucket < start.0
                    || (last.startBucket == start.0
                        && ByteOrder.isLess(Array(last.startKey), start.1))
                if !isAfter { return "the ranges are not in order" }
            } else if start.0 != 0 || !start.1.isEmpty {
                return "the first range begins at the beginning"
            }
            last = bounds
        }
        if Set(command.ranges.map(\.range)).count != command.ranges.count
            || command.ranges.contains(where: { $0.range == 0 })
        {
            return "ranges are numbered from 1, each once"
        }
        if command.coordinators.count > Limits.nodeCountMax { return "too many coordinators" }
        return command.coordinators.lazy.compactMap(node).first ?? text(command.name)
    }

    private static func partitions(_ command: ProtoChangePartitions) -> String? {
        let lists =
            command.assign.map { ($0.partition, $0.nodes) }
            + command.begin.map { ($0.partition, $0.next) }
        for (partition, nodes) in lists {
            if partition >= UInt32(PartitionID.count) { return "no such partition" }
            if !(1...16).contains(nodes.count) || Set(nodes).count != nodes.count {
                return "a partition has 1 to 16 distinct nodes"
            }
            if let broken = nodes.lazy.compactMap(id).first { return broken }
        }
        for numbers in [
            command.assign.map(\.partition), command.begin.map(\.partition), command.commit,
            command.cancel,
        ] where Set(numbers).count != numbers.count || numbers.contains(where: { $0 >= 4096 }) {
            return "a partition is named twice, or does not exist"
        }
        return nil
    }
}
