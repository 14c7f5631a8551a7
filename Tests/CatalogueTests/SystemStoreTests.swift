import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// The system range, command by command.
struct SystemStoreTests {
    private let scratch: ScratchDirectory
    private let store: SystemStore
    private var make = CommandMaker(seed: 3)

    init() throws {
        scratch = try ScratchDirectory()
        store = try SystemStore.open(path: scratch.file("system"))
    }

    private mutating func initialize() throws {
        let command = make.system {
            $0.initialize.cluster = Data(repeating: 7, count: 16)
            $0.initialize.name = "test"
            $0.initialize.settings.partitionCount = 4096
            $0.initialize.settings.replicationFactor = 3
            $0.initialize.ranges = [
                .with { $0.range = 1 },
                .with {
                    $0.range = 2
                    $0.startBucket = 1 << 63
                },
            ]
            $0.initialize.coordinators = [Self.node(100, label: "c1", role: .coordinator)]
        }
        #expect(try store.apply(command).failure == .none)
    }

    private static func node(
        _ number: UInt8, label: String, role: ProtoRole = .storage
    ) -> ProtoNode {
        .with {
            $0.id = Data(repeating: number, count: 16)
            $0.label = label
            $0.role = role
            $0.address = "10.0.0.\(number):9000"
            $0.capacityBytes = 1 << 40
        }
    }

    private mutating func put(_ node: ProtoNode) throws -> ProtoCatalogueFailure {
        try store.apply(make.system { $0.putNode.node = node }).failure
    }

    private mutating func set(
        _ number: UInt8, _ membership: ProtoMembership
    ) throws -> ProtoCatalogueFailure {
        try store.apply(
            make.system {
                $0.setMembership.node = Data(repeating: number, count: 16)
                $0.setMembership.membership = membership
            }
        ).failure
    }

    @Test mutating func `nothing happens before the cluster is there, and it is made once`() throws
    {
        #expect(try put(Self.node(1, label: "s1")) == .invalidCommand)
        #expect(try store.changes(since: 0).cluster.isEmpty)
        try initialize()
        try initialize()
        let other = make.system {
            $0.initialize.cluster = Data(repeating: 8, count: 16)
            $0.initialize.settings.partitionCount = 4096
            $0.initialize.settings.replicationFactor = 3
            $0.initialize.ranges = [.with { $0.range = 1 }]
        }
        #expect(try store.apply(other).failure == .invalidCommand)
        let state = try store.changes(since: 0)
        #expect(state.isFull)
        #expect(state.cluster == Data(repeating: 7, count: 16))
        #expect(state.clusterName == "test")
        #expect(state.settings.replicationFactor == 3)
        #expect(state.ranges.map(\.range) == [1, 2])
        #expect(state.nodes.map(\.label) == ["c1"])
        #expect(state.nodes.map(\.membership) == [.member])
        #expect(state.epoch == 1)
        #expect(state.revision == 1)
    }

    @Test mutating func `two living nodes do not share a label`() throws {
        try initialize()
        #expect(try put(Self.node(1, label: "s1")) == .none)
        #expect(try put(Self.node(2, label: "s1")) == .duplicateNodeLabel)
        #expect(try set(1, .lost) == .none)
        #expect(try put(Self.node(2, label: "s1")) == .none)
        #expect(try set(1, .member) == .duplicateNodeLabel)
        #expect(try put(Self.node(3, label: "")) == .none)
        #expect(try put(Self.node(4, label: "")) == .none)
        #expect(try set(9, .lost) == .noSuchNode)
    }

    @Test mutating func `a node changes its address but not its place in the cluster`() throws {
        try initialize()
        _ = try put(Self.node(1, label: "s1"))
        _ = try set(1, .draining)
        let revision = try store.changes(since: 0).revision
        var node = Self.node(1, label: "s1")
        node.membership = .member
        #expect(try put(node) == .none)
        // Nothing new: nobody is woken.
        #expect(try store.changes(since: 0).revision == revision)
        node.address = "10.0.0.9:9000"
        #expect(try put(node) == .none)
        let changes = try store.changes(since: revision)
        #expect(!changes.isFull)
        #expect(changes.nodes.map(\.address) == ["10.0.0.9:9000"])
        #expect(changes.nodes.map(\.membership) == [.draining])
        #expect(changes.ranges.isEmpty)
        node.role = .gateway
        #expect(try put(node) == .invalidCommand)
        #expect(try set(1, .left) == .none)
        #expect(try put(Self.node(1, label: "s1")) == .noSuchNode)
        #expect(try set(1, .member) == .noSuchNode)
    }

    @Test mutating func `partitions change at their epoch or not at all`() throws {
        try initialize()
        for number in 1...4 as ClosedRange<UInt8> {
            _ = try put(Self.node(number, label: "s\(number)"))
        }
        func change(
            _ epoch: UInt64, _ fill: (inout ProtoChangePartitions) -> Void
        ) throws -> ProtoSystemResult {
            var maker = make
            let command = maker.system {
                $0.changePartitions.epoch = epoch
                fill(&$0.changePartitions)
            }
            make = maker
            return try store.apply(command)
        }
        func place(_ partition: UInt32, _ nodes: [UInt8], next: [UInt8] = []) -> ProtoPartitionNodes
        {
            .with {
                $0.partition = partition
                $0.nodes = nodes.map { Data(repeating: $0, count: 16) }
                $0.next = next.map { Data(repeating: $0, count: 16) }
            }
        }
        let assigned = try change(1) { $0.assign = (0..<4096).map { place($0, [1, 2, 3]) } }
        #expect(assigned.failure == .none)
        #expect(assigned.epoch == 2)
        #expect(
            try change(1) { $0.begin = [place(5, [], next: [1, 2, 4])] }.failure == .staleEpoch)
        #expect(try change(2) { $0.assign = [place(5, [1, 2, 4])] }.failure == .invalidCommand)
        #expect(try change(2) { $0.commit = [5] }.failure == .invalidCommand)
        #expect(
            try change(2) { $0.begin = [place(5, [], next: [1, 1, 4])] }.failure == .invalidCommand)
        #expect(
            try change(2) { $0.begin = [place(5, [], next: [1, 100, 4])] }.failure == .noSuchNode)
        let began = try change(2) {
            $0.begin = [place(5, [], next: [1, 2, 4]), place(6, [], next: [4, 1, 2])]
        }
        #expect(began.epoch == 3)
        let revision = began.revision
        let done = try change(3) {
            $0.commit = [5]
            $0.cancel = [6]
        }
        #expect(done.failure == .none)
        let changes = try store.changes(since: revision)
        #expect(changes.epoch == 4)
        #expect(changes.partitions == [place(5, [1, 2, 4]), place(6, [1, 2, 3])])
        // A new order of the same nodes: one command.
        let reordered = try change(4) {
            $0.begin = [place(7, [], next: [3, 2, 1])]
            $0.commit = [7]
        }
        #expect(reordered.failure == .none)
        let last = try store.changes(since: done.revision).partitions
        #expect(last == [place(7, [3, 2, 1])])
        #expect(try store.changes(since: 0).partitions.count == 4096)
    }

    @Test mutating func `bucket names are unique and ids are never mixed up`() throws {
        try initialize()
        func create(_ name: String, _ id: UInt64) throws -> ProtoSystemResult {
            var maker = make
            let command = maker.system {
                $0.createBucket.name = name
                $0.createBucket.id = id
                $0.createBucket.owner = "root"
            }
            make = maker
            return try store.apply(command)
        }
        let first = try create("photos", 5)
        #expect(first.bucket.id == 5)
        #expect(try create("photos", 6).failure == .bucketAlreadyExists)
        #expect(try create("photos", 6).bucket == first.bucket)
        #expect(try create("other", 5).failure == .invalidCommand)
        #expect(try create("", 9).failure == .invalidCommand)
        for (number, name) in ["a", "b", "pa", "pb"].enumerated() {
            #expect(try create(name, UInt64(100 + number)).failure == .none)
        }
        func list(_ fill: (inout ProtoListBuckets) -> Void) throws -> ProtoBucketList {
            try store.ask { (query: inout ProtoSystemQuery) in
                query.listBuckets.limit = 10
                fill(&query.listBuckets)
            }.buckets
        }
        #expect(try list { _ in }.buckets.map(\.name) == ["a", "b", "pa", "pb", "photos"])
        #expect(try list { $0.prefix = "p" }.buckets.map(\.name) == ["pa", "pb", "photos"])
        let page = try list {
            $0.after = "a"
            $0.limit = 2
        }
        #expect(page.buckets.map(\.name) == ["b", "pa"])
        #expect(page.isTruncated)
        let found = try store.ask { (query: inout ProtoSystemQuery) in
            query.getBucket.name = "photos"
        }
        #expect(found.bucket == first.bucket)
        #expect(try store.apply(make.system { $0.deleteBucket.id = 5 }).failure == .none)
        #expect(try store.apply(make.system { $0.deleteBucket.id = 5 }).failure == .noSuchBucket)
        #expect(try create("photos", 7).failure == .none)
    }

    private mutating func putToken(
        _ number: UInt8, expires: Int64 = 1 << 41, role: ProtoRole = .storage
    ) throws -> ProtoCatalogueFailure {
        try store.apply(
            make.system {
                $0.putJoinToken.token.id = Data(repeating: number, count: 8)
                $0.putJoinToken.token.secretHash = Data(repeating: number, count: 32)
                $0.putJoinToken.token.role = role
                $0.putJoinToken.token.expiresMs = expires
            }
        ).failure
    }

    private func tokens() throws -> [ProtoJoinToken] {
        try store.ask { (query: inout ProtoSystemQuery) in
            query.listJoinTokens = ProtoListJoinTokens()
        }.joinTokens.tokens
    }

    @Test mutating func `join tokens are listed, revoked, and go long after they expire`() throws {
        try initialize()
        #expect(try putToken(1) == .none)
        #expect(try putToken(1) == .invalidCommand)
        #expect(try putToken(2, role: .coordinator) == .invalidCommand)
        #expect(try putToken(2, expires: 0) == .invalidCommand)
        #expect(try putToken(2, expires: 1) == .none)
        // The clock of these commands stands where the second has been expired for long.
        #expect(try putToken(3, role: .gateway) == .none)
        #expect(try tokens().map { $0.id.first } == [1, 3])
        let revoke = make.system { $0.revokeJoinToken.id = Data(repeating: 1, count: 8) }
        #expect(try store.apply(revoke).failure == .none)
        #expect(try tokens().map(\.isRevoked) == [true, false])
        let unknown = make.system { $0.revokeJoinToken.id = Data([1]) }
        #expect(try store.apply(unknown).failure == .noSuchJoinToken)
        let found = try store.ask { (query: inout ProtoSystemQuery) in
            query.getJoinToken.id = Data(repeating: 3, count: 8)
        }
        #expect(found.joinToken.role == .gateway)
    }

    @Test mutating func `a file of version 1 learns join tokens`() throws {
        try initialize()
        store.close()
        let connection = try SQLiteConnection(
            path: scratch.file("system"), mode: .readWrite, cacheKiB: 100)
        try connection.execute("DROP TABLE join_tokens; PRAGMA user_version = 1")
        let old = try SystemStore.open(path: scratch.file("system"))
        let put = make.system {
            $0.putJoinToken.token.id = Data(repeating: 1, count: 8)
            $0.putJoinToken.token.secretHash = Data(repeating: 1, count: 32)
            $0.putJoinToken.token.role = .storage
            $0.putJoinToken.token.expiresMs = 1 << 41
        }
        #expect(try old.apply(put).failure == .none)
        old.close()
    }

    @Test mutating func `followers hear of deletions, or get everything`() throws {
        try initialize()
        for id in ["k1", "k2"] {
            _ = try store.apply(
                make.system {
                    $0.putAccessKey.key.id = id
                    $0.putAccessKey.key.sealedSecret = Data([1])
                    $0.putAccessKey.key.isEnabled = true
                })
        }
        let start = try store.changes(since: 0)
        #expect(start.accessKeys.map(\.id) == ["k1", "k2"])
        _ = try store.apply(make.system { $0.deleteAccessKey.id = "k1" })
        _ = try store.apply(make.system { $0.setAccessKeyEnabled.id = "k2" })
        let changes = try store.changes(since: start.revision)
        #expect(!changes.isFull)
        #expect(changes.deletedAccessKeys == ["k1"])
        #expect(changes.accessKeys.map(\.isEnabled) == [false])
        #expect(try store.changes(since: changes.revision).accessKeys.isEmpty)
        #expect(try store.changes(since: changes.revision + 1).isFull)
        let missing = make.system { $0.deleteAccessKey.id = "k1" }
        #expect(try store.apply(missing).failure == .noSuchAccessKey)
    }

    @Test mutating func `the deletions kept are bounded`() throws {
        try initialize()
        let start = try store.changes(since: 0).revision
        var entries: [CatalogueEntry] = []
        func add(_ command: ProtoSystemCommand) throws {
            entries.append(
                CatalogueEntry(
                    index: store.appliedIndex + UInt64(entries.count + 1),
                    payload: try command.serializedBytes()))
        }
        for number in 1...UInt64(CatalogueLimits.deletionsMax + 10) {
            try add(
                make.system {
                    $0.createBucket.id = number
                    $0.createBucket.name = "b\(number)"
                })
            try add(make.system { $0.deleteBucket.id = number })
        }
        _ = try store.apply(entries)
        #expect(try store.changes(since: start).isFull)
        let recent = try store.changes(since: 0).revision - 10
        let changes = try store.changes(since: recent)
        #expect(!changes.isFull)
        #expect(changes.deletedBuckets.count == 5)
    }

    @Test mutating func `the same log gives the same file on every replica`() throws {
        var log: [ProtoSystemCommand] = []
        for number in 0..<300 {
            let id = UInt8.random(in: 1...6, using: &make.random)
            let label = "s\(Int.random(in: 1...4, using: &make.random))"
            switch Int.random(in: 0..<4, using: &make.random) {
            case 0: log.append(make.system { $0.putNode.node = Self.node(id, label: label) })
            case 1:
                log.append(
                    make.system {
                        $0.setMembership.node = Data(repeating: id, count: 16)
                        $0.setMembership.membership = .init(rawValue: Int(id % 3) + 1)!
                    })
            case 2:
                log.append(
                    make.system {
                        $0.createBucket.id = UInt64(number + 1)
                        $0.createBucket.name = label
                    })
            default: log.append(make.system { $0.deleteBucket.id = UInt64(number / 2) })
            }
        }
        try initialize()
        for command in log { _ = try store.apply(command) }
        let other = try SystemStore.open(path: scratch.file("other"))
        var maker = CommandMaker(seed: 3)
        swap(&maker, &make)
        let snapshot = try store.writeSnapshot(to: scratch.file("snapshot"))
        #expect(try other.install(snapshot: scratch.file("snapshot")) == snapshot)
        #expect(try other.contentDigest() == store.contentDigest())
        for command in log { #expect(try other.apply(command) == store.apply(command)) }
        #expect(try other.contentDigest() == store.contentDigest())
    }
}
