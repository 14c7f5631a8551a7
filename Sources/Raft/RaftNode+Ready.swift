import Core

extension RaftNode {
    /// Whether `ready(now:)` has anything to say.
    package var hasReady: Bool {
        if pendingWrites.count >= RaftLimits.pendingWritesMax { return false }
        return !outbox.isEmpty || hardState != hardStateWritten || written < log.last.index
            || hasCommittedToHandOut || isRoundWanted || isHeartbeatWanted
            || (isAppendWanted && role == .leader) || (installing != nil && !isInstallHandedOut)
            || outbox.softStateSent != softState
    }

    /// All that is to be done now. Empty while ``RaftLimits/pendingWritesMax`` writes are not yet
    /// durable.
    package mutating func ready(now: MonotonicTime) -> RaftReady {
        var ready = RaftReady()
        guard pendingWrites.count < RaftLimits.pendingWritesMax else { return ready }
        if role == .leader { sendAll(now: now.milliseconds) }
        handOutWrites(in: &ready)
        handOutCommitted(in: &ready)
        if installing != nil, !isInstallHandedOut {
            ready.snapshotToInstall = installing
            isInstallHandedOut = true
        }
        swap(&ready.readStates, &outbox.readStates)
        swap(&ready.snapshotsToSend, &outbox.snapshotsToSend)
        swap(&ready.entriesWanted, &outbox.entriesWanted)
        let softState = softState
        if outbox.softStateSent != softState {
            ready.softState = softState
            outbox.softStateSent = softState
        }
        return ready
    }

    private mutating func handOutWrites(in ready: inout RaftReady) {
        if hardState != hardStateWritten {
            ready.hardState = hardState
            if Mutation.isOn(.forgetVote) { ready.hardState?.votedFor = nil }
            hardStateWritten = hardState
        }
        if written < log.last.index {
            ready.entries =
                log.slice(from: written.next, through: log.last.index, bytesMax: .max).entries
            written = log.last.index
        }
        swap(&ready.messagesNow, &outbox.messagesNow)
        swap(&ready.messagesAfterPersist, &outbox.messagesAfterPersist)
        let isWriting = ready.hardState != nil || !ready.entries.isEmpty
        if isWriting || !(ready.messagesAfterPersist.isEmpty || pendingWrites.isEmpty) {
            ready.write = nextWrite
            pendingWrites.append(
                PendingWrite(number: nextWrite, last: written, hardState: hardState))
            nextWrite += 1
        } else if !ready.messagesAfterPersist.isEmpty {
            // Everything they promise is durable.
            ready.messagesNow.append(contentsOf: ready.messagesAfterPersist)
            ready.messagesAfterPersist = []
        }
    }

    private var hasCommittedToHandOut: Bool {
        handedOut < min(commit, durable) && installing == nil
            && (handedOutBytes == 0 || handedOutBytes < configuration.commitBatchBytesMax)
    }

    private mutating func handOutCommitted(in ready: inout RaftReady) {
        guard hasCommittedToHandOut else { return }
        let (entries, bytes) = log.slice(
            from: handedOut.next, through: min(commit, durable),
            bytesMax: configuration.commitBatchBytesMax - handedOutBytes)
        ready.committed = entries
        if Mutation.isOn(.skipFirstAfterStart), handedOut == log.start.index, handedOut > .zero {
            ready.committed[0].payload = .empty
        }
        handedOut = handedOut + entries.count
        handedOutBytes += bytes
    }

    /// - Parameter isPromise: it tells of a vote or of entries, which must be durable before.
    mutating func send(
        _ kind: RaftMessage.Kind, to node: NodeID, term: Term? = nil, isPromise: Bool = false
    ) {
        let message = RaftMessage(from: id, to: node, term: term ?? self.term, kind: kind)
        if isPromise {
            outbox.messagesAfterPersist.append(message)
        } else {
            outbox.messagesNow.append(message)
        }
    }
}
