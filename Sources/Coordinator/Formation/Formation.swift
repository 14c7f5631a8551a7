import Core
import Logging
import ClusterView
import Messages
import NIOCore
import Wire

/// Performs what ``FormationCore`` decides: probes the coordinators that discovery finds, keeps the
/// record on disk, asks and answers.
///
/// An actor: formation is rare and short. The record is written without leaving the actor, so that
/// nobody is ever told of a state that is not on stable storage.
package actor Formation {
    /// Candidates by address; asked again and again, never an error.
    package typealias Discover = @Sendable () async -> [String]

    private var core: FormationCore
    private let store: FormationStore
    private let pool: WirePool
    private let discover: Discover
    private let clocks: any Clocks
    private let logger: Logger
    private var nodes: [String: NodeID] = [:]
    private var waiters: [CheckedContinuation<FormationProposal, any Error>] = []
    private var lastWait = ""
    /// Why peers would not talk to us, by address: what an operator has to put right.
    private var refusals: [String: String] = [:]

    private struct Answer: Sendable {
        let address: String
        var reply: ProtoProbeReply?
        var refusal: String?
    }

    static let roundMilliseconds = 250
    static let callDeadline = TimeAmount.seconds(2)

    /// - Parameter directory: The node's data directory; ``FormationRecord`` lives there.
    /// - Throws: ``FormationError`` where the record can't be read.
    package init(
        me: FormationProposal.Member, policy: FormationCore.Policy, directory: String,
        pool: WirePool, clocks: any Clocks, logger: Logger, discover: @escaping Discover
    ) throws(FormationError) {
        store = FormationStore(directory: directory)
        core = FormationCore(
            me: me, record: try store.load(), policy: policy, seed: Randomness.system.next(),
            now: clocks.monotonic.milliseconds)
        self.pool = pool
        self.clocks = clocks
        self.logger = logger
        self.discover = discover
    }

    /// The cluster this node belongs to, once there is one.
    package var formed: FormationProposal? {
        if case .formed(let proposal) = core.record.phase { proposal } else { nil }
    }

    /// What this node waits for, for operators.
    package var waitsFor: String {
        lastWait.isEmpty ? "coordinators are being looked for" : lastWait
    }

    /// Goes on until the node belongs to a cluster.
    ///
    /// - Throws: ``FormationError/notSaved(_:)``, or `CancellationError`.
    package func run() async throws -> FormationProposal {
        while true {
            if let formed { return formed }
            try Task.checkCancellation()
            await probeAll()
            try await perform(core.tick(now: clocks.monotonic.milliseconds))
            explainWait()
            if formed == nil { try await clocks.sleep(for: .milliseconds(Self.roundMilliseconds)) }
        }
    }

    // MARK: Answers to peers

    func probed() -> ProtoProbeReply {
        var reply = ProtoProbeReply()
        switch core.record.phase {
        case .blank: reply.phase = .blank
        case .proposing: reply.phase = .proposing
        case .accepted: reply.phase = .accepted
        case .formed: reply.phase = .formed
        }
        reply.self_p = core.me.message
        reply.sees = core.sees.sorted().map { $0.data }
        if let proposal = core.record.proposal { reply.proposal = proposal.message }
        reply.withdrawn = core.record.withdrawn.map { $0.data }
        reply.clusterName = core.policy.settings.clusterName
        return reply
    }

    func proposed(_ request: ProtoProposalRequest) throws -> ProtoProposalReply {
        guard let proposal = FormationProposal(request.proposal) else {
            throw WireFailure(.badRequest, "the proposal is incomplete")
        }
        let (isAccepted, actions) = core.proposed(proposal)
        try save(actions)
        var reply = ProtoProposalReply()
        reply.isAccepted = isAccepted
        if let held = core.record.proposal { reply.proposal = held.message }
        logger.info(
            "formation: a proposal was \(isAccepted ? "accepted" : "refused")",
            metadata: ["proposer": "\(proposal.proposer)", "cluster": "\(proposal.cluster)"])
        return reply
    }

    func decided(_ request: ProtoDecisionRequest) throws -> ProtoDecisionReply {
        guard let proposal = FormationProposal(request.proposal) else {
            throw WireFailure(.badRequest, "the proposal is incomplete")
        }
        let (isTaken, actions) = core.decided(proposal)
        try save(actions)
        return .with { $0.isTaken = isTaken }
    }

    func withdrawn(_ request: ProtoWithdrawalRequest) throws -> ProtoWithdrawalReply {
        guard let id = CommandID(bytes: request.proposal),
            let proposer = NodeID(bytes: request.proposer)
        else { throw WireFailure(.badRequest, "the withdrawal is incomplete") }
        try save(core.withdrawal(of: id, by: proposer))
        return ProtoWithdrawalReply()
    }

    // MARK: Steps

    private func probeAll() async {
        let addresses = await discover().filter { $0 != core.me.address }
        let request = ProtoProbeRequest.with {
            $0.from = core.me.message
            $0.isCoordinator = true
        }
        let pool = self.pool
        let answers = await withTaskGroup(
            of: Answer.self, returning: [Answer].self
        ) { group in
            for address in addresses {
                group.addTask {
                    do {
                        let answer = try await pool.call(
                            .formationProbe, address: address, request,
                            deadline: pool.now + Self.callDeadline, as: ProtoProbeReply.self)
                        return Answer(address: address, reply: answer.reply)
                    } catch WireError.refused(let reason) {
                        return Answer(address: address, refusal: reason)
                    } catch {
                        return Answer(address: address)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        refusals = [:]
        for answer in answers {
            let address = answer.address
            refusals[address] = answer.refusal
            guard let reply = answer.reply, let peer = FormationPeer(reply) else {
                if let node = nodes.removeValue(forKey: address) { core.lost(node) }
                continue
            }
            nodes[address] = peer.member.node
            do {
                try await perform(core.seen(peer, now: clocks.monotonic.milliseconds))
            } catch {
                logger.error("formation: \(error)")
            }
        }
    }

    /// In order: what is said follows what is saved.
    private func perform(_ actions: [FormationCore.Action]) async throws(FormationError) {
        try save(actions)
        let now = { [clocks] in clocks.monotonic.milliseconds }
        for action in actions {
            switch action {
            case .persist, .formed: break
            case .propose(let member, let proposal):
                let isAccepted = await propose(proposal, to: member)
                guard let isAccepted else { continue }
                try await perform(
                    core.answered(
                        by: member.node, proposal: proposal.id, isAccepted: isAccepted, now: now()))
            case .decide(let member, let proposal):
                let request = ProtoDecisionRequest.with { $0.proposal = proposal.message }
                await tell(.formationDecide, request, to: member, as: ProtoDecisionReply.self)
            case .withdraw(let member, let proposal):
                let request = ProtoWithdrawalRequest.with {
                    $0.proposal = proposal.id.data
                    $0.proposer = proposal.proposer.data
                }
                await tell(
                    .formationWithdraw, request, to: member, as: ProtoWithdrawalReply.self)
            }
        }
    }

    private func save(_ actions: [FormationCore.Action]) throws(FormationError) {
        for action in actions {
            if case .persist(let record) = action { try store.save(record) }
            if case .formed(let proposal) = action {
                logger.notice(
                    "formation: this coordinator belongs to a cluster",
                    metadata: [
                        "cluster": "\(proposal.cluster)",
                        "name": "\(proposal.settings.clusterName)",
                        "founder": "\(proposal.includes(core.me.node))",
                    ])
            }
        }
    }

    /// - Returns: `nil` where there was no answer: asked again at the next tick.
    private func propose(
        _ proposal: FormationProposal, to member: FormationProposal.Member
    ) async -> Bool? {
        let request = ProtoProposalRequest.with { $0.proposal = proposal.message }
        let answer = try? await pool.call(
            .formationPropose, address: member.address, request,
            deadline: pool.now + Self.callDeadline, as: ProtoProposalReply.self)
        guard let answer, answer.peer.node == member.node else { return nil }
        return answer.reply.isAccepted
    }

    /// Best effort: who misses it learns it by a probe.
    private func tell<Reply: MessageReply>(
        _ method: Method, _ request: some MessageRequest, to member: FormationProposal.Member,
        as reply: Reply.Type
    ) async {
        do {
            _ = try await pool.call(
                method, address: member.address, request, deadline: pool.now + Self.callDeadline,
                as: reply)
        } catch {
            logger.debug(
                "formation: \(method) did not reach a member, who will ask",
                metadata: ["address": "\(member.address)", "error": "\(error)"])
        }
    }

    /// Says once per change what formation waits for.
    private func explainWait() {
        let text: String
        switch core.record.phase {
        case .blank:
            let seen = core.peers.count + 1
            let waiting =
                core.policy.mayForm
                ? "waiting for \(core.policy.expectedCount) coordinators that see each other, "
                    + "\(seen) here; check discovery, the firewall and CLUSTER_SECRET if this stays"
                : "waiting for a cluster to join: this node may not form one (FORM_CLUSTER)"
            let refused = refusals.sorted { $0.key < $1.key }.map { "; \($0.key): \($0.value)" }
            text = waiting + refused.joined()
        case .proposing: text = "waiting for every founder to accept"
        case .accepted(let proposal):
            text =
                "has promised itself to the proposal of \(proposal.proposer) and waits for its "
                + "decision; if that node's disk is lost for ever, empty this node's data directory"
        case .formed: return
        }
        guard text != lastWait else { return }
        lastWait = text
        logger.info("formation: \(text)")
    }
}
