import Coordinator
import Core

/// What must never happen in a cluster, noticed as it happens: a second cluster, two leaders of one
/// term, a node of another cluster.
///
/// `@unchecked Sendable`: confined to the world's thread.
final class ClusterWatch: @unchecked Sendable {
    /// The first promise that was broken.
    private(set) var violation: String?
    private var cluster: (id: ClusterID, node: String)?
    /// Copies that were missing at the last look, and at how many looks before.
    private var gaps: [String: Int] = [:]
    private static let looksMax = 4
    private var leaders: [RangeID: [UInt64: String]] = [:]
    /// Nodes whose copies may be damaged, or gone since: rot is noticed by whoever reads, and a
    /// copy that is damaged where a node starts is dropped without anybody's knowing.
    var rotten: Set<String> = []
    /// Nodes that are gone for good.
    var lost: Set<String> = []
    /// Chunks that objects named when somebody looked.
    var named: Set<ChunkID> = []
    /// Copies that readers found missing or corrupt, since somebody began to count.
    var badCopies: Set<String> = []

    func joined(_ id: ClusterID, _ node: String) {
        guard let cluster else {
            cluster = (id, node)
            return
        }
        if cluster.id != id {
            note("two clusters formed: \(cluster.node) is in \(cluster.id), \(node) in \(id)")
        }
    }

    func leads(_ range: RangeID, term: UInt64, _ node: String) {
        if let other = leaders[range]?[term], other != node {
            note("\(other) and \(node) both led \(range) in term \(term)")
        }
        leaders[range, default: [:]][term] = node
    }

    /// A gap that is still there at several looks is one: a single look may be by an old map.
    func saw(_ gaps: Set<String>) {
        self.gaps = Dictionary(uniqueKeysWithValues: gaps.map { ($0, (self.gaps[$0] ?? 0) + 1) })
        if let gap = self.gaps.filter({ $0.value >= Self.looksMax }).keys.min() { note(gap) }
    }

    func failed(_ text: String) { note(text) }

    private func note(_ text: String) { violation = violation ?? text }
}

/// Tells the watch who leads, and the coordinator as well.
struct ElectionObserver: ConsensusObserver {
    private let observer: any ConsensusObserver
    private let watch: ClusterWatch
    private let node: String

    init(_ observer: any ConsensusObserver, _ watch: ClusterWatch, _ node: String) {
        self.observer = observer
        self.watch = watch
        self.node = node
    }

    func applied(_ range: RangeID, index: UInt64) { observer.applied(range, index: index) }

    func leadershipChanged(_ range: RangeID, isLeader: Bool, term: UInt64) {
        if isLeader { watch.leads(range, term: term, node) }
        observer.leadershipChanged(range, isLeader: isLeader, term: term)
    }
}
