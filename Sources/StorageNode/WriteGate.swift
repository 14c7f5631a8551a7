import ClusterView
import Core
import Synchronization

/// Decides whether a new chunk may be written here, and knows which writes are under way, so that a
/// partition can be listed for a move without missing one.
///
/// The map and the writes are looked at under one lock: a write that was admitted by an older map
/// is counted before a newer map is seen.
package final class WriteGate: Sendable {
    package enum Admission: Equatable, Sendable {
        /// Go on, and call ``end(_:)`` exactly once.
        case admitted
        /// Moving, or not this node's, by a map as new as the writer's or newer.
        case refused
        /// The writer knows a newer map: wait for it, then ask again.
        case behind
        case stopping
    }

    private struct State {
        var map = ClusterState()
        var underWay: [PartitionID: Int] = [:]
        var isStopping = false
    }

    private let me: NodeID
    private let clocks: any Clocks
    private let state = Mutex(State())

    package init(me: NodeID, clocks: any Clocks = SystemClocks()) {
        self.me = me
        self.clocks = clocks
    }

    package var epoch: Epoch { state.withLock { $0.map.epoch } }
    package var map: ClusterState { state.withLock { $0.map } }
    package var underWayCount: Int { state.withLock { $0.underWay.values.reduce(0, +) } }

    /// A newer map has come.
    package func take(_ map: ClusterState) { state.withLock { $0.map = map } }

    package func begin(_ partition: PartitionID, writerEpoch: Epoch) -> Admission {
        state.withLock { state in
            if state.isStopping { return .stopping }
            let place = state.map[partition]
            let isAtRest = place.next.isEmpty || Mutation.isOn(.writeDuringMove)
            guard isAtRest && place.nodes.contains(me) || Mutation.isOn(.skipEpochCheck) else {
                return writerEpoch > state.map.epoch ? .behind : .refused
            }
            state.underWay[partition, default: 0] += 1
            return .admitted
        }
    }

    package func end(_ partition: PartitionID) {
        state.withLock { state in
            let count = state.underWay[partition, default: 0]
            precondition(count > 0, "a write ends once, after it was admitted")
            state.underWay[partition] = count == 1 ? nil : count - 1
        }
    }

    /// Nothing new from here on.
    package func stop() { state.withLock { $0.isStopping = true } }

    /// Waits until the map is at `epoch` and, where the partition takes no writes by it, those that
    /// began before have ended.
    ///
    /// - Returns: `false` if that takes longer than `timeout`.
    package func fence(
        _ partition: PartitionID, at epoch: Epoch, atMost timeout: Duration
    ) async -> Bool {
        await wait(atMost: timeout) { state in
            let place = state.map[partition]
            let takesWrites = place.next.isEmpty && place.nodes.contains(self.me)
            return state.map.epoch >= epoch
                && (takesWrites || state.underWay[partition] == nil)
        }
    }

    /// Waits until the map is at `epoch`.
    package func reached(_ epoch: Epoch, atMost timeout: Duration) async -> Bool {
        await wait(atMost: timeout) { $0.map.epoch >= epoch }
    }

    /// Waits until no write is under way.
    package func drained(atMost timeout: Duration) async -> Bool {
        await wait(atMost: timeout) { $0.underWay.isEmpty }
    }

    /// Looks again and again: moves are rare, and what is waited for takes milliseconds.
    private func wait(
        atMost timeout: Duration, until condition: @Sendable (borrowing State) -> Bool
    ) async -> Bool {
        let begun = clocks.monotonic.milliseconds
        while true {
            if state.withLock({ condition($0) }) { return true }
            let waited = clocks.monotonic.milliseconds - begun
            if waited >= timeout.wholeMilliseconds || Task.isCancelled { return false }
            try? await clocks.sleep(for: .milliseconds(10))
        }
    }
}
