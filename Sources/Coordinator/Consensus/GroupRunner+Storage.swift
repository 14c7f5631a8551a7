import Core
import NIOCore
import Raft
import RaftLog

/// When the state machine was last made durable, and what came since.
struct CheckpointState: Hashable {
    var isRunning = false
    var lastAt: MonotonicTime
    /// Bytes of entries given to the state machine since.
    var bytes = 0
    /// Applied and durable up to here.
    var durable: LogIndex

    init(lastAt: MonotonicTime, durable: LogIndex) {
        self.lastAt = lastAt
        self.durable = durable
    }
}

/// Answers of the log, the state machine and the snapshots.
extension GroupRunner {
    // MARK: Log

    func persisted(
        _ acknowledgement: LogLane.Acknowledgement, now: MonotonicTime,
        _ effects: inout HostEffects
    ) {
        for message in acknowledgement.messages { effects.send(message, of: range) }
        node.persisted(write: acknowledgement.write, now: now)
        isDirty = true
    }

    func supply(_ supply: LogLane.Supply, now: MonotonicTime) {
        node.supply(
            supply.wanted, previousTerm: supply.previousTerm, entries: supply.entries, now: now)
        isDirty = true
    }

    // MARK: State machine

    func receive(
        _ report: ApplyLane.Report, isPinning: Bool, now: MonotonicTime,
        _ effects: inout HostEffects
    ) {
        isDirty = true
        switch report {
        case .applied(let position):
            applied = position
            node.applied(position.index)
        case .checkpointed(let durable):
            checkpoint.isRunning = false
            checkpoint.durable = durable
            compact(isPinning: isPinning, now: now, &effects)
        case .installed(let mark):
            // The store is durable with it; now the log must begin there.
            applied = mark.position
            checkpoint.durable = mark.position.index
            effects.log.append(.reset(range, mark))
        }
    }

    /// The log begins at the installed snapshot.
    func logWasReset(now: MonotonicTime) {
        guard let installed = installing else { return }
        installing = nil
        logFirst = installed.mark.position.index.next
        node.snapshotInstalled(now: now)
        isDirty = true
    }

    /// Makes the state machine durable when much or long enough was applied since, or when the log
    /// wants it.
    func checkpointIfDue(isPinning: Bool, now: MonotonicTime) {
        guard !checkpoint.isRunning, installing == nil else { return }
        let age = now.milliseconds - min(now.milliseconds, checkpoint.lastAt.milliseconds)
        let isOld = age >= policy.intervalMilliseconds && applied.index > checkpoint.durable
        guard isOld || isPinning || checkpoint.bytes >= policy.bytes else { return }
        checkpoint.isRunning = true
        checkpoint.lastAt = now
        checkpoint.bytes = 0
        handle.lane.submit(.checkpoint)
    }

    /// Drops entries that are durable in the state machine, but keeps some for followers that lag:
    /// entries are cheaper than a snapshot. A group that pins the log's oldest segment keeps none.
    private func compact(
        isPinning: Bool, now: MonotonicTime, _ effects: inout HostEffects
    ) {
        var index = min(checkpoint.durable, applied.index)
        if !isPinning {
            let kept = UInt64(policy.keptEntries)
            index = min(
                index,
                LogIndex(rawValue: applied.index.rawValue - min(applied.index.rawValue, kept)))
            for peer in node.status.peers where isFollowing(peer, now: now) {
                index = min(index, peer.match)
            }
        }
        guard index >= logFirst, let mark = node.mark(at: index) else { return }
        node.compacted(to: index)
        logFirst = index.next
        effects.log.append(.truncate(range, mark))
    }

    // MARK: Snapshots

    func receive(_ snapshot: ReceivedSnapshot, now: MonotonicTime) {
        received.append(snapshot)
        node.step(
            RaftMessage(
                from: snapshot.from, to: node.id, term: snapshot.term,
                kind: .snapshot(snapshot.mark)),
            now: now)
        isDirty = true
    }

    /// The core wants the snapshot that it was just told of.
    func install(_ mark: SnapshotMark) {
        guard let slot = received.firstIndex(where: { $0.mark == mark }) else {
            preconditionFailure("a snapshot to install that never came")
        }
        let snapshot = received.remove(at: slot)
        precondition(installing == nil, "one snapshot at a time")
        installing = snapshot
        handle.lane.submit(.install(snapshot))
    }

    func snapshotSent(
        to peer: NodeID, mark: SnapshotMark?, isDelivered: Bool, now: MonotonicTime
    ) {
        // Without a mark none could be made: as if one had got lost.
        let mark = mark ?? SnapshotMark(position: applied, membership: node.membership)
        node.snapshotSent(to: peer, mark: mark, isDelivered: isDelivered, now: now)
        isDirty = true
    }
}
