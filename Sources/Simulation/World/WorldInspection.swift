import ChunkStore
import ClusterView
import Core

/// Looks at all disks of a world at once, as nobody in it can: whether catalogues agree, whether
/// every chunk that they name is where the map wants it, and whether nothing else is there.
struct WorldInspection {
    /// Never right, whatever is under way.
    private(set) var violations: [String] = []
    /// Not right yet; must go away by itself once all is mended.
    private(set) var unfinished: [String] = []
    /// Whether every chunk has all its copies, so that the loss of a disk loses nothing.
    private(set) var isProtected = false

    /// Chunks of objects that no disk has. Wrong for good in the end; while coordinators come and
    /// go, those that are up may not know yet that an object is gone.
    private(set) var nowhere: Set<String> = []
    /// Copies that are missing and that nobody knows of: not of a partition that moves, not queued
    /// for repair.
    private(set) var gaps: Set<String> = []
    /// Copies that are corrupt on nodes whose disks rot, and where others are.
    private(set) var rotten: [(chunk: ChunkID, node: NodeID, others: [NodeID])] = []
    /// Chunks of objects and of parts of uploads.
    private(set) var referenced: Set<ChunkID> = []
    private let settings: ClusterWorld.Settings
    private let watch: ClusterWatch
    private var garbage: Set<ChunkID> = []
    private var incomplete: Set<ChunkID> = []
    /// Nodes that have a copy, for each chunk.
    private var holders: [ChunkID: Set<NodeID>] = [:]
    private var isComplete = false

    /// - Parameters:
    ///   - nodes: That are meant to be there.
    ///   - isDeep: Every copy is read and its checksums compared.
    init(
        _ nodes: [SimulatedNode], _ settings: ClusterWorld.Settings, _ watch: ClusterWatch,
        isDeep: Bool = false
    ) {
        (self.settings, self.watch) = (settings, watch)
        for number in 1...settings.rangeCount {
            do {
                try inspect(RangeID(rawValue: UInt32(number)), nodes)
            } catch {
                violations.append("range \(number) can't be read: \(error)")
            }
        }
        guard let state = Self.map(nodes) else {
            unfinished.append("no gateway knows the map")
            return
        }
        inspect(state, running: nodes)
        inspectCopies(nodes, state, isDeep: isDeep)
        isProtected = isFinished
        if !garbage.isEmpty { unfinished.append("\(garbage.count) chunks wait for removal") }
    }

    var isFinished: Bool { unfinished.isEmpty && violations.isEmpty && nowhere.isEmpty }

    private static func map(_ nodes: [SimulatedNode]) -> ClusterState? {
        nodes.compactMap { $0.process?.follower }.filter(\.isFresh).map(\.state)
            .max { $0.revision < $1.revision }
    }

    // MARK: Catalogues

    private mutating func inspect(_ range: RangeID, _ nodes: [SimulatedNode]) throws {
        var byApplied: [Int64: (digests: [String: UInt64], node: String)] = [:]
        var newest: RangeContent?
        for node in nodes where node.role == .coordinator && node.isUp {
            let path = node.directory + "/catalogue/\(range).sqlite"
            guard SimulatedNode.exists(path) else { continue }
            let content = try RangeContent(path: path)
            for problem in content.problems {
                violations.append("\(node.name), \(range): \(problem)")
            }
            if let other = byApplied[content.applied], other.digests != content.digests {
                let tables = content.digests.filter { other.digests[$0.key] != $0.value }.keys
                let text =
                    "\(range): \(other.node) and \(node.name) have applied the same "
                    + "\(content.applied) entries and hold different rows in "
                    + tables.sorted().joined(separator: ", ")
                // Who is no founder learns of the first members by the first change of them.
                if Set(tables) == ["facts"] {
                    unfinished.append(text)
                } else {
                    violations.append(text)
                }
            }
            byApplied[content.applied] = (content.digests, node.name)
            if content.applied > newest?.applied ?? -1 { newest = content }
        }
        guard let newest else {
            unfinished.append("nobody has a file of \(range)")
            return
        }
        if byApplied.count > 1 { unfinished.append("\(range): not all have applied all entries") }
        if newest.repairCount > 0 {
            unfinished.append("\(range): \(newest.repairCount) copies wait for repair")
        }
        referenced.formUnion(newest.referenced)
        garbage.formUnion(newest.garbage)
        incomplete.formUnion(newest.incomplete)
    }

    // MARK: Chunks

    private mutating func inspect(_ state: ClusterState, running nodes: [SimulatedNode]) {
        // A replaced node is in the map until its silence is noticed.
        let running = Set(nodes.compactMap { $0.process?.identity.node })
        let moving = state.partitions.count { !$0.next.isEmpty }
        if moving > 0 { unfinished.append("\(moving) partitions move") }
        let short = state.partitions.filter { place in
            place.nodes.count < state.replicationFactor
                || place.nodes.contains {
                    state.nodes[$0]?.isMember != true || !running.contains($0)
                }
        }
        guard let example = short.first else { return }
        let holders = example.nodes.map { node in
            let known = state.nodes[node]
            let membership = known.map { "\($0.membership)" } ?? "unknown"
            return "\(known?.label ?? "\(node)") \(membership)"
                + (running.contains(node) ? "" : ", gone")
        }
        unfinished.append(
            "\(short.count) partitions lack a holder, such as "
                + "[\(holders.joined(separator: "; "))]")
    }

    private mutating func inspectCopies(
        _ nodes: [SimulatedNode], _ state: ClusterState, isDeep: Bool
    ) {
        let stores = nodes.compactMap { node in
            node.process?.storage?.openStore.map { (node.process?.identity.node, $0, node.name) }
        }
        var whole: [ChunkID: (bytes: [UInt8], name: String)] = [:]
        for (identity, store, name) in stores {
            let wanted = referenced.filter { chunk in
                identity.map { state[chunk.partition].nodes.contains($0) } ?? false
            }
            let isRotten = watch.rotten.contains(name)
            for chunk in referenced.sorted() {
                switch Self.look(at: chunk, in: store, isDeep: isDeep) {
                case .whole(let bytes):
                    if let other = whole[chunk], other.bytes != bytes {
                        violations.append(
                            "\(other.name) and \(name) give different bytes for chunk \(chunk)")
                    }
                    whole[chunk] = (bytes, name)
                    if let identity { holders[chunk, default: []].insert(identity) }
                case .none where isRotten: break
                case .damaged where isRotten:
                    guard let identity, wanted.contains(chunk) else { continue }
                    let others = state[chunk.partition].nodes.filter { $0 != identity }
                    rotten.append((chunk, identity, others))
                case .none(let reason) where wanted.contains(chunk):
                    if state[chunk.partition].next.isEmpty, !incomplete.contains(chunk) {
                        gaps.insert("\(name) lacks chunk \(chunk), and nobody knows")
                    }
                    unfinished.append("\(name) lacks chunk \(chunk): \(reason)")
                case .damaged where wanted.contains(chunk):
                    unfinished.append("\(name) has a damaged copy of chunk \(chunk)")
                case .none, .damaged: break
                }
            }
            if !isRotten { inspectUnwanted(in: store, name, wanted, isDeep: isDeep) }
        }
        isComplete = stores.count == nodes.count(where: { $0.role == .storage })
        if isComplete {
            for chunk in referenced.sorted() where whole[chunk] == nil {
                nowhere.insert("chunk \(chunk) of an object is nowhere")
            }
        }
    }

    private mutating func inspectUnwanted(
        in store: ChunkStore, _ name: String, _ wanted: Set<ChunkID>, isDeep: Bool
    ) {
        guard settings.sweeps else {
            // Without the sweep, what no object ever named may stay.
            for chunk in watch.named.subtracting(referenced).subtracting(garbage).sorted() {
                if case .none = Self.look(at: chunk, in: store, isDeep: false) { continue }
                unfinished.append("\(name) holds chunk \(chunk), which was deleted")
            }
            return
        }
        let more = store.usage.chunkCount - wanted.count
        guard more > 0 else { return }
        let which = isDeep ? ": \(describe(unwantedIn: store, wanted))" : ""
        unfinished.append("\(name) holds \(more) chunks that nobody wants\(which)")
    }

    /// What would be lost with a node, though nobody knows that it has too few copies.
    ///
    /// - Returns: `nil` as well where not all disks can be looked at.
    func loss(without node: NodeID) -> String? {
        guard isComplete else { return nil }
        for chunk in referenced.subtracting(incomplete).sorted() {
            let others = (holders[chunk] ?? []).subtracting([node]).count
            if others < settings.replicationFactor {
                return "chunk \(chunk) of an object has \(others) copies elsewhere"
            }
        }
        return nil
    }

    /// The first few, and what the catalogues say of them.
    private func describe(unwantedIn store: ChunkStore, _ wanted: Set<ChunkID>) -> String {
        var found: [String] = []
        for partition in PartitionID.all where found.count < 4 {
            let listed = try? store.list(partition, limit: 1_000).chunks
            for chunk in listed ?? [] where !wanted.contains(chunk) {
                let isUsed = referenced.contains(chunk)
                found.append(
                    "\(chunk) (\(isUsed ? "of an object" : garbage.contains(chunk) ? "queued" : "unnamed"))"
                )
            }
        }
        return found.isEmpty ? "none that it lists" : found.joined(separator: ", ")
    }

    private enum Copy {
        case damaged
        case none(String)
        /// With its bytes, where they were read.
        case whole([UInt8])
    }

    private static func look(at chunk: ChunkID, in store: ChunkStore, isDeep: Bool) -> Copy {
        do {
            let reader = try store.open(chunk)
            return .whole(isDeep ? try reader.read(0..<reader.blockCount) : [])
        } catch ChunkStoreError.corrupt {
            return .damaged
        } catch {
            return .none("\(error)")
        }
    }
}
