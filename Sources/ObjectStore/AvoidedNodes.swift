import Core
import Synchronization

/// Nodes that failed to answer a moment ago: until the watch tells more, others are asked first.
final class AvoidedNodes: Sendable {
    // At most one entry a storage node: bounded by the cluster's size.
    private let until = Mutex<[NodeID: UInt64]>([:])
    private let isEmpty = Atomic<Bool>(true)

    func note(_ node: NodeID, now: MonotonicTime) {
        until.withLock { $0[node] = now.milliseconds + ObjectStoreLimits.avoidance }
        isEmpty.store(false, ordering: .releasing)
    }

    func current(now: MonotonicTime) -> Set<NodeID> {
        guard !isEmpty.load(ordering: .acquiring) else { return [] }
        return until.withLock { until in
            until = until.filter { $0.value > now.milliseconds }
            if until.isEmpty { isEmpty.store(true, ordering: .releasing) }
            return Set(until.keys)
        }
    }
}
