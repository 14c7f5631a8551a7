import Coordinator
import Core
import Testing

@Suite struct FormationCoreTests {
    private static let settings = FormationProposal.Settings(
        clusterName: "test", replicationFactor: 3, rangeCount: 4, repairDelayMilliseconds: 1000)

    private func member(_ number: UInt64) -> FormationProposal.Member {
        FormationProposal.Member(
            node: NodeID(high: 0, low: number), address: "n\(number):9000", label: "n\(number)",
            zone: "")
    }

    private func core(_ number: UInt64, mayForm: Bool = true) -> FormationCore {
        FormationCore(
            me: member(number), record: FormationRecord(),
            policy: .init(expectedCount: 3, mayForm: mayForm, settings: Self.settings),
            seed: number, now: 0)
    }

    private func peer(of core: FormationCore) -> FormationPeer {
        FormationPeer(member: core.me, record: core.record, sees: core.sees)
    }

    /// Three blank coordinators that see each other.
    private func trio() -> [FormationCore] {
        var cores = [core(1), core(2), core(3)]
        for _ in 0..<2 {
            for index in cores.indices {
                for other in cores where other.me != cores[index].me {
                    _ = cores[index].seen(peer(of: other), now: 0)
                }
            }
        }
        return cores
    }

    @Test func `the lowest of three that see each other proposes, the others wait`() throws {
        var cores = trio()
        let actions = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        #expect(
            actions == [
                .persist(cores[0].record), .propose(to: member(2), proposal),
                .propose(to: member(3), proposal),
            ])
        #expect(proposal.members == [member(1), member(2), member(3)])
        let second = cores[1].tick(now: 1)
        #expect(second == [])
    }

    @Test func `it forms only when all have accepted`() throws {
        var cores = trio()
        _ = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        let first = cores[0].answered(
            by: member(2).node, proposal: proposal.id, isAccepted: true, now: 2)
        #expect(first == [])
        let second = cores[0].answered(
            by: member(3).node, proposal: proposal.id, isAccepted: true, now: 2)
        #expect(
            second == [
                .persist(cores[0].record), .formed(proposal), .decide(to: member(2), proposal),
                .decide(to: member(3), proposal),
            ])
    }

    @Test func `two do not form where three are expected`() {
        var one = core(1)
        var two = core(2)
        _ = one.seen(peer(of: two), now: 0)
        _ = two.seen(peer(of: one), now: 0)
        _ = one.seen(peer(of: two), now: 0)
        let actions = one.tick(now: 100_000)
        #expect(actions == [])
    }

    @Test func `sight must be mutual`() {
        var one = core(1)
        _ = one.seen(peer(of: core(2)), now: 0)
        _ = one.seen(peer(of: core(3)), now: 0)
        let actions = one.tick(now: 1)
        #expect(actions == [])
    }

    @Test func `an acceptor refuses a second proposal, also after a restart`() throws {
        var cores = trio()
        _ = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        let accepted = cores[2].proposed(proposal)
        #expect(accepted.isAccepted)
        #expect(accepted.actions == [.persist(cores[2].record)])
        var other = proposal
        other.id = CommandID(high: 9, low: 9)
        other.proposer = member(2).node
        var restarted = FormationCore(
            me: member(3), record: cores[2].record, policy: cores[2].policy, seed: 7, now: 0)
        let refused = restarted.proposed(other)
        #expect(!refused.isAccepted)
        #expect(refused.actions == [])
    }

    @Test func `a refusal withdraws, and frees the acceptors`() throws {
        var cores = trio()
        _ = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        _ = cores[1].proposed(proposal)
        let actions = cores[0].answered(
            by: member(3).node, proposal: proposal.id, isAccepted: false, now: 2)
        #expect(actions.first == .persist(cores[0].record))
        #expect(cores[0].record.phase == .blank)
        // The withdrawal was lost: the acceptor learns of it by a probe.
        let freed = cores[1].seen(peer(of: cores[0]), now: 3)
        #expect(freed == [.persist(cores[1].record)])
        #expect(cores[1].record.phase == .blank)
    }

    @Test func `a probe answered before the proposal was made frees nobody`() throws {
        var cores = trio()
        let stale = peer(of: cores[0])
        _ = cores[0].tick(now: 1)
        _ = cores[1].proposed(try #require(cores[0].record.proposal))
        let actions = cores[1].seen(stale, now: 2)
        #expect(actions == [])
        #expect(cores[1].record.proposal != nil)
    }

    @Test func `a restarted proposer goes on where it was`() throws {
        var cores = trio()
        _ = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        var restarted = FormationCore(
            me: member(1), record: cores[0].record, policy: cores[0].policy, seed: 9, now: 0)
        let actions = restarted.tick(now: 1)
        #expect(
            actions == [.propose(to: member(2), proposal), .propose(to: member(3), proposal)])
    }

    @Test func `where forming is not allowed a node neither proposes nor accepts, but joins`()
        throws
    {
        var cores = trio()
        _ = cores[0].tick(now: 1)
        let proposal = try #require(cores[0].record.proposal)
        var late = core(3, mayForm: false)
        let refused = late.proposed(proposal)
        #expect(!refused.isAccepted)
        var formed = FormationRecord()
        formed.phase = .formed(proposal)
        let actions = late.seen(
            FormationPeer(member: member(1), record: formed, sees: []), now: 5)
        #expect(actions == [.persist(late.record), .formed(proposal)])
    }

    /// Messages lost, doubled and late; nodes crash and come back with what they persisted; a
    /// fourth and fifth coordinator stand by. At most one cluster, ever; one in the end.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func `at most one cluster forms, and one does once the network heals`(seed: UInt64) {
        var world = FormationWorld(seed: seed, cores: (1...5).map { core($0) })
        world.run(milliseconds: 20_000, lossInTen: 4)
        world.run(milliseconds: 60_000, lossInTen: 0)
        let formed = Set(world.everFormed)
        #expect(formed.count == 1, "seed \(seed)")
        #expect(world.cores.allSatisfy { $0.isFormed }, "seed \(seed)")
    }
}

extension FormationCore {
    var isFormed: Bool { if case .formed = record.phase { true } else { false } }
}

/// Five formation cores in one thread, on a bad network.
private struct FormationWorld {
    enum Mail {
        case probe(from: Int, to: Int)
        case probed(FormationPeer, to: Int)
        case propose(FormationProposal, to: Int, from: Int)
        case answer(by: NodeID, proposal: CommandID, isAccepted: Bool, to: Int)
        case decide(FormationProposal, to: Int)
        case withdraw(FormationProposal, to: Int)
    }

    var cores: [FormationCore]
    var everFormed: [ClusterID] = []
    private var disks: [FormationRecord]
    private var mail: [(at: UInt64, Mail)] = []
    private var now: UInt64 = 0
    private var random: SeededRandom
    private var loss = 0

    init(seed: UInt64, cores: [FormationCore]) {
        self.cores = cores
        self.disks = cores.map(\.record)
        self.random = SeededRandom(seed: seed)
    }

    mutating func run(milliseconds: UInt64, lossInTen: Int) {
        loss = lossInTen
        let end = now + milliseconds
        while now < end {
            now += 50
            for index in cores.indices {
                if Int.random(in: 0..<4, using: &random) == 0 {
                    for other in cores.indices where other != index {
                        post(.probe(from: index, to: other))
                    }
                }
                perform(cores[index].tick(now: now), at: index)
                if loss > 0, Int.random(in: 0..<100, using: &random) == 0 { restart(index) }
            }
            let due = mail.filter { $0.at <= now }
            mail.removeAll { $0.at <= now }
            for (_, letter) in due { deliver(letter) }
        }
    }

    private mutating func restart(_ index: Int) {
        cores[index] = FormationCore(
            me: cores[index].me, record: disks[index], policy: cores[index].policy,
            seed: random.next(), now: now)
    }

    private mutating func post(_ letter: Mail) {
        let dice = Int.random(in: 0..<10, using: &random)
        if dice < loss { return }
        for _ in 0..<(dice == 9 ? 2 : 1) {
            mail.append((now + .random(in: 1...400, using: &random), letter))
        }
    }

    private func index(of node: NodeID) -> Int { Int(node.low) - 1 }

    private mutating func deliver(_ letter: Mail) {
        switch letter {
        case .probe(let from, let to):
            let core = cores[to]
            post(
                .probed(
                    FormationPeer(member: core.me, record: core.record, sees: core.sees), to: from))
        case .probed(let peer, let to): perform(cores[to].seen(peer, now: now), at: to)
        case .propose(let proposal, let to, let from):
            let (isAccepted, actions) = cores[to].proposed(proposal)
            guard perform(actions, at: to) else { return }
            post(
                .answer(
                    by: cores[to].me.node, proposal: proposal.id, isAccepted: isAccepted, to: from))
        case .answer(let node, let proposal, let isAccepted, let to):
            perform(
                cores[to].answered(
                    by: node, proposal: proposal, isAccepted: isAccepted, now: now), at: to)
        case .decide(let proposal, let to): perform(cores[to].decided(proposal).1, at: to)
        case .withdraw(let proposal, let to):
            perform(cores[to].withdrawal(of: proposal.id, by: proposal.proposer), at: to)
        }
    }

    /// - Returns: `false` if the node crashed between two actions: the rest never happens.
    @discardableResult
    private mutating func perform(_ actions: [FormationCore.Action], at index: Int) -> Bool {
        for action in actions {
            if loss > 0, Int.random(in: 0..<50, using: &random) == 0 {
                restart(index)
                return false
            }
            switch action {
            case .persist(let record): disks[index] = record
            case .propose(let member, let proposal):
                post(.propose(proposal, to: self.index(of: member.node), from: index))
            case .decide(let member, let proposal):
                post(.decide(proposal, to: self.index(of: member.node)))
            case .withdraw(let member, let proposal):
                post(.withdraw(proposal, to: self.index(of: member.node)))
            case .formed(let proposal): everFormed.append(proposal.cluster)
            }
        }
        return true
    }
}
