import Core
import Synchronization

/// Who led each range when last heard: a guess that saves a round trip, never a truth.
final class LeaderHints: Sendable {
    private let leaders = Mutex<[RangeID: NodeID]>([:])

    subscript(range: RangeID) -> NodeID? {
        get { leaders.withLock { $0[range] } }
        set { leaders.withLock { $0[range] = newValue } }
    }

    /// Forgets a guess that has failed, unless there is a newer one.
    func drop(_ node: NodeID, of range: RangeID) {
        leaders.withLock { if $0[range] == node { $0[range] = nil } }
    }
}
