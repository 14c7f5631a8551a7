import Core

/// Decides how blank coordinators become one cluster, at most one. Pure: no clock, no sockets.
///
/// ```
///             sees enough blank peers, is the lowest           all accepted
///   blank ───────────────────────────────────────► proposing ───────────────► formed
///     │ ▲            refused, or took too long         │                        ▲
///     │ ╰──────────────────────────────────────────────╯                        │
///     │    proposal received                                  decision          │
///     ├──────────────────────────────► accepted ────────────────────────────────┤
///     │ ▲           withdrawn              │                                    │
///     │ ╰──────────────────────────────────╯        sees a formed peer (joins)  │
///     ╰─────────────────────────────────────────────────────────────────────────╯
/// ```
///
/// Why there is at most one: a node has at most one proposal that it holds to, on stable storage
/// before it says so. Deciding takes every member's acceptance, and only the proposer decides or
/// withdraws, never both of one proposal. So of two proposals with a member in common at most one
/// is decided.
package struct FormationCore: Equatable, Sendable {
    package struct Policy: Equatable, Sendable {
        /// Blank coordinators that must see each other: BOOTSTRAP_EXPECT.
        package var expectedCount: Int
        /// Whether a new cluster may be made (FORM_CLUSTER); joining one is always allowed.
        package var mayForm: Bool
        package var settings: FormationProposal.Settings

        package init(
            expectedCount: Int, mayForm: Bool, settings: FormationProposal.Settings
        ) {
            precondition(expectedCount > 0)
            self.expectedCount = expectedCount
            self.mayForm = mayForm
            self.settings = settings
        }
    }

    /// Performed in order; what follows a `persist` may happen only once that is on stable storage.
    package enum Action: Equatable, Sendable {
        case persist(FormationRecord)
        case propose(to: FormationProposal.Member, FormationProposal)
        case decide(to: FormationProposal.Member, FormationProposal)
        case withdraw(from: FormationProposal.Member, FormationProposal)
        /// The cluster exists and this node belongs to it. Comes once in the life of the value.
        case formed(FormationProposal)
    }

    package let me: FormationProposal.Member
    package private(set) var policy: Policy
    package private(set) var record: FormationRecord
    /// By node; only those that answered their last probe.
    package private(set) var peers: [NodeID: FormationPeer] = [:]
    private var acceptedBy: Set<NodeID> = []
    /// Proposing: when to give up. Blank: not to propose before.
    private var deadline: UInt64 = 0
    private var random: SeededRandom

    /// Milliseconds that a proposal may take before it is withdrawn, and the pause after that.
    package static let proposalMilliseconds: UInt64 = 5_000
    package static let pauseMilliseconds: Range<UInt64> = 200..<1_500

    package init(
        me: FormationProposal.Member, record: FormationRecord, policy: Policy, seed: UInt64,
        now: UInt64
    ) {
        self.me = me
        self.record = record
        self.policy = policy
        self.random = SeededRandom(seed: seed)
        if case .proposing = record.phase {
            acceptedBy = [me.node]
            deadline = now + Self.proposalMilliseconds
        }
        if Mutation.isOn(.formWithoutAll) { deadline = now + 10_000 }
    }

    /// Coordinators that this one reaches: told to others, who count on mutual sight.
    package var sees: Set<NodeID> { Set(peers.keys) }

    package mutating func setMayForm(_ mayForm: Bool) { policy.mayForm = mayForm }

    /// A probe was answered.
    package mutating func seen(_ peer: FormationPeer, now: UInt64) -> [Action] {
        guard peer.member.node != me.node else { return [] }
        peers[peer.member.node] = peer
        switch record.phase {
        case .blank:
            if case .formed(let proposal) = peer.record.phase { return form(proposal) }
            return []
        case .accepted(let proposal):
            if case .formed(let decided) = peer.record.phase {
                if decided.id == proposal.id { return form(decided) }
                // A proposer that belongs to another cluster will never decide this one.
                if peer.member.node == proposal.proposer { return release() }
            }
            return withdrawn(proposal.id, by: peer.record.withdrawn, of: peer.member.node)
        case .proposing, .formed:
            return []
        }
    }

    /// A probe was not answered.
    package mutating func lost(_ node: NodeID) { peers[node] = nil }

    /// Time has passed: propose, ask again, or give up.
    package mutating func tick(now: UInt64) -> [Action] {
        switch record.phase {
        case .blank: return propose(now: now)
        case .proposing(let proposal):
            if now >= deadline { return withdraw(proposal, now: now) }
            return proposal.members
                .filter { $0.node != me.node && !acceptedBy.contains($0.node) }
                .map { .propose(to: $0, proposal) }
        case .accepted, .formed: return []
        }
    }

    /// Another coordinator proposes.
    ///
    /// - Returns: Whether this node accepts; true only after the actions are performed.
    package mutating func proposed(
        _ proposal: FormationProposal
    ) -> (isAccepted: Bool, actions: [Action]) {
        switch record.phase {
        case .blank:
            guard policy.mayForm, proposal.includes(me.node), proposal.proposer != me.node else {
                return (false, [])
            }
            record.phase = .accepted(proposal)
            return (true, [.persist(record)])
        case .accepted where Mutation.isOn(.acceptSecondProposal):
            record.phase = .accepted(proposal)
            return (true, [.persist(record)])
        case .accepted(let held), .formed(let held): return (held.id == proposal.id, [])
        case .proposing: return (false, [])
        }
    }

    /// A member has answered this node's proposal.
    package mutating func answered(
        by node: NodeID, proposal id: CommandID, isAccepted: Bool, now: UInt64
    ) -> [Action] {
        guard case .proposing(let proposal) = record.phase, proposal.id == id,
            proposal.includes(node)
        else { return [] }
        guard isAccepted else { return withdraw(proposal, now: now) }
        acceptedBy.insert(node)
        guard proposal.members.allSatisfy({ acceptedBy.contains($0.node) }) else { return [] }
        return form(proposal)
            + proposal.members.filter { $0.node != me.node }.map { .decide(to: $0, proposal) }
    }

    /// The proposer says that it has decided.
    package mutating func decided(_ proposal: FormationProposal) -> (isTaken: Bool, [Action]) {
        switch record.phase {
        case .accepted(let held) where held.id == proposal.id: return (true, form(held))
        case .formed(let held): return (held.id == proposal.id, [])
        case .blank, .accepted, .proposing: return (false, [])
        }
    }

    /// The proposer says that it has taken its proposal back.
    package mutating func withdrawal(of id: CommandID, by proposer: NodeID) -> [Action] {
        withdrawn(id, by: [id], of: proposer)
    }

    // MARK: Steps

    private mutating func propose(now: UInt64) -> [Action] {
        guard policy.mayForm, now >= deadline else { return [] }
        // A peer that holds to a proposal may be about to form: wait for the outcome.
        let blank = peers.values.filter { $0.record.phase == .blank }
        guard blank.count == peers.count else { return [] }
        let candidates = (blank.map(\.member) + [me]).sorted { $0.node < $1.node }
        guard candidates.count >= policy.expectedCount || Mutation.isOn(.formWithoutAll)
        else { return [] }
        let members = Array(candidates.prefix(policy.expectedCount))
        guard members[0].node == me.node, seeEachOther(members) else { return [] }
        let proposal = FormationProposal(
            id: .random(using: &random), cluster: .random(using: &random), members: members,
            settings: policy.settings, proposer: me.node)
        record.phase = .proposing(proposal)
        acceptedBy = [me.node]
        deadline = now + Self.proposalMilliseconds
        if members.count == 1 { return form(proposal) }
        return [.persist(record)]
            + members.dropFirst().map { .propose(to: $0, proposal) }
    }

    private func seeEachOther(_ members: [FormationProposal.Member]) -> Bool {
        members.allSatisfy { member in
            guard member.node != me.node else { return true }
            guard let peer = peers[member.node] else { return false }
            return members.allSatisfy { $0.node == member.node || peer.sees.contains($0.node) }
        }
    }

    private mutating func withdraw(_ proposal: FormationProposal, now: UInt64) -> [Action] {
        record.phase = .blank
        record.withdrawn.append(proposal.id)
        if record.withdrawn.count > FormationRecord.withdrawnCountMax {
            record.withdrawn.removeFirst()
        }
        acceptedBy = []
        deadline = now + UInt64.random(in: Self.pauseMilliseconds, using: &random)
        return [.persist(record)]
            + proposal.members.filter { $0.node != me.node }
            .map { .withdraw(from: $0, proposal) }
    }

    private mutating func withdrawn(
        _ id: CommandID, by list: [CommandID], of proposer: NodeID
    ) -> [Action] {
        guard case .accepted(let proposal) = record.phase, proposal.id == id,
            proposal.proposer == proposer, list.contains(id)
        else { return [] }
        return release()
    }

    private mutating func release() -> [Action] {
        record.phase = .blank
        return [.persist(record)]
    }

    private mutating func form(_ proposal: FormationProposal) -> [Action] {
        record.phase = .formed(proposal)
        return [.persist(record), .formed(proposal)]
    }
}
