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

    private let rotten: Set<String>
    private var referenced: Set<ChunkID> = []
    private var garbage: Set<ChunkID> = []

    /// - Parameters:
    ///   - rotten: Nodes whose copies need not be there or whole.
    ///   - isDeep: Every copy is read and its checksums compared.
    init(
        _ nodes: [SimulatedNode], rangeCount: Int, rotten: Set<String> = [], isDeep: Bool = false
    ) {
        self.rotten = rotten
        for number in 1...rangeCount {
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

    var isFinished: Bool { unfinished.isEmpty && violations.isEmpty }

    private static func map(_ nodes: [SimulatedNode]) -> ClusterState? {
        nodes.compactMap { $0.process?.follower }.filter(\.isFresh).map(\.state)
            .max { $0.revision < $1.revision }
    }

    // MARK: Catalogues

    private mutating func inspect(_ range: RangeID, _ nodes: [SimulatedNode]) throws {
        var byApplied: [Int64: (digest: UInt64, node: String)] = [:]
        var newest: RangeContent?
        for node in nodes where node.role == .coordinator && node.isUp {
            let path = node.directory + "/catalogue/\(range).sqlite"
            guard SimulatedNode.exists(path) else { continue }
            let content = try RangeContent(path: path)
            for problem in content.problems {
                violations.append("\(node.name), \(range): \(problem)")
            }
            if let other = byApplied[content.applied], other.digest != content.digest {
                violations.append(
                    "\(range): \(other.node) and \(node.name) have applied the same "
                        + "\(content.applied) entries and hold different rows")
            }
            byApplied[content.applied] = (content.digest, node.name)
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
            let isRotten = rotten.contains(name)
            for chunk in referenced.sorted() {
                switch Self.look(at: chunk, in: store, isDeep: isDeep) {
                case .whole(let bytes):
                    if let other = whole[chunk], other.bytes != bytes {
                        violations.append(
                            "\(other.name) and \(name) give different bytes for chunk \(chunk)")
                    }
                    whole[chunk] = (bytes, name)
                case .none where isRotten, .damaged where isRotten: break
                case .none(let reason) where wanted.contains(chunk):
                    unfinished.append("\(name) lacks chunk \(chunk): \(reason)")
                case .damaged where wanted.contains(chunk):
                    unfinished.append("\(name) has a damaged copy of chunk \(chunk)")
                case .none, .damaged: break
                }
            }
            let more = isRotten ? 0 : store.usage.chunkCount - wanted.count
            if more > 0 {
                let which = isDeep ? ": \(describe(unwantedIn: store, wanted))" : ""
                unfinished.append("\(name) holds \(more) chunks that nobody wants\(which)")
            }
        }
        if stores.count == nodes.count(where: { $0.role == .storage }) {
            for chunk in referenced.sorted() where whole[chunk] == nil {
                violations.append("chunk \(chunk) of an object is nowhere")
            }
        }
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
