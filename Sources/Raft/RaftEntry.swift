/// One entry of the replicated log.
package struct RaftEntry: Hashable, Sendable {
    package enum Payload: Hashable, Sendable {
        /// A new leader's first entry (thesis 6.4): nothing to apply.
        case empty
        case command([UInt8])
        /// Takes effect as soon as it is in the log, committed or not (thesis 4.1).
        case membership(Membership)
    }

    package var position: LogPosition
    package var payload: Payload

    package var index: LogIndex { position.index }
    package var term: Term { position.term }

    package init(term: Term, index: LogIndex, payload: Payload) {
        self.position = LogPosition(index: index, term: term)
        self.payload = payload
    }

    /// What the entry counts for in all byte limits.
    package var byteCount: Int {
        switch payload {
        case .empty: RaftLimits.entryOverheadBytes
        case .command(let bytes): RaftLimits.entryOverheadBytes + bytes.count
        case .membership(let membership):
            RaftLimits.entryOverheadBytes
                + (membership.voters.count + membership.learners.count) * 16
        }
    }
}
