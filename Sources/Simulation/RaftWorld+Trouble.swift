import Core
import Raft

/// What clients ask for and what goes wrong.
extension RaftWorld {
    static func configuration(using random: inout SeededRandom) -> RaftConfiguration {
        var configuration = RaftConfiguration(id: NodeID(high: 0, low: 0))
        let heartbeat: UInt64 = [15, 25, 50].randomElement(using: &random) ?? 50
        configuration.electionTimeoutMilliseconds = heartbeat * 6
        configuration.heartbeatMilliseconds = heartbeat
        guard Bool.random(using: &random) else { return configuration }
        // Small enough to meet every limit.
        configuration.appendBytesMax = .random(in: 1...400, using: &random)
        configuration.inflightAppendsMax = .random(in: 1...8, using: &random)
        configuration.inflightBytesMax =
            configuration.appendBytesMax + .random(in: 0...1000, using: &random)
        configuration.unappliedBytesMax =
            configuration.inflightBytesMax + .random(in: 0...2000, using: &random)
        configuration.commitBatchBytesMax = .random(in: 1...500, using: &random)
        configuration.tailBytesMax =
            configuration.appendBytesMax + .random(in: 0...500, using: &random)
        return configuration
    }

    static func weather(using random: inout SeededRandom) -> Weather {
        var weather = Weather()
        weather.lossPercent = [0, 0, 2, 10, 25].randomElement(using: &random) ?? 0
        weather.doublePercent = [0, 5, 20].randomElement(using: &random) ?? 0
        weather.delayMax = [1, 5, 20, 60].randomElement(using: &random) ?? 5
        weather.straggler = [0, 0, 50, 10].randomElement(using: &random) ?? 0
        weather.diskMax = [1, 5, 50, 200].randomElement(using: &random) ?? 5
        weather.applyMax = [0, 0, 10, 100].randomElement(using: &random) ?? 0
        weather.faultPause = [60, 200, 400, 1000].randomElement(using: &random) ?? 200
        weather.downMax = [30, 300, 800].randomElement(using: &random) ?? 300
        weather.leaderPercent = [10, 50, 80].randomElement(using: &random) ?? 50
        weather.changesMembership = Bool.random(using: &random)
        return weather
    }

    // MARK: Clients

    mutating func client() throws(RaftChecker.Failure) {
        queue.add(.client, at: time + .random(in: 1...40, using: &random))
        // Whoever believes to lead is asked, also one that was deposed and does not know it.
        for slot in members.indices where isRunning(slot) {
            guard let node = members[slot].node, node.isLeader else { continue }
            try leaseRead(slot)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<60: propose(slot)
            case 60..<85: indexRead(slot)
            case 85..<95: if weather.changesMembership { changeMembership(slot) }
            case 95..<97: transfer(slot)
            default: compact(slot)
            }
            if isHealing { finalRequests(slot) }
            try pump(slot)
        }
        if let slot = members.indices.randomElement(using: &random), isRunning(slot) {
            compact(slot)
        }
    }

    mutating func leaseRead(_ slot: Int) throws(RaftChecker.Failure) {
        let now = clock(slot)
        guard let index = members[slot].node?.leaseReadIndex(now: now) else { return }
        counts.leaseReads += 1
        try checker.read(at: index, floor: checker.commit, kind: "lease")
    }

    private mutating func propose(_ slot: Int) {
        let now = clock(slot)
        let commands = (0..<Int.random(in: 1...3, using: &random)).map { _ in command() }
        do throws(RaftError) {
            _ = try members[slot].node?.propose(commands, now: now)
        } catch {
            counts.refusals += 1
        }
    }

    private mutating func command() -> [UInt8] {
        nextCommand += 1
        return nextCommand.bigEndianBytes
            + [UInt8](repeating: 7, count: .random(in: 0...60, using: &random))
    }

    @discardableResult
    private mutating func indexRead(_ slot: Int) -> UInt64 {
        let now = clock(slot)
        let token = nextToken
        nextToken += 1
        do throws(RaftError) {
            try members[slot].node?.readIndex(token: token, now: now)
            members[slot].reads[token] = checker.commit
        } catch {
            counts.refusals += 1
        }
        return token
    }

    mutating func answer(
        _ read: RaftReady.ReadState, _ slot: Int
    ) throws(RaftChecker.Failure) {
        guard let floor = members[slot].reads.removeValue(forKey: read.token) else {
            throw RaftChecker.Failure(text: "read \(read.token) is answered twice")
        }
        guard let index = read.index else { return }
        lastReads.remove(read.token)
        counts.indexReads += 1
        try checker.read(at: index, floor: floor, kind: "index")
    }

    private mutating func changeMembership(_ slot: Int) {
        let now = clock(slot)
        guard let node = members[slot].node else { return }
        let membership = node.membership
        let change: MembershipChange
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            guard members.count < 9 else { return }
            let known = members.first { !membership.contains($0.id) }?.id
            if known == nil { addMember(first: .none) }
            // Also nodes that were removed before: they may be taken back.
            change = .addLearner(
                members.filter { !membership.contains($0.id) }
                    .randomElement(using: &random)?.id ?? node.id)
        case 1, 2:
            let ready = node.status.peers.filter {
                !$0.isVoter && $0.match.rawValue + 20 >= node.lastPosition.index.rawValue
            }
            guard let learner = ready.first else { return }
            change = .promote(learner.node)
        default:
            let all = membership.voters + membership.learners
            guard let leaving = all.randomElement(using: &random) else { return }
            if membership.isVoter(leaving), membership.voters.count <= 2 { return }
            change = .remove(leaving)
        }
        do throws(RaftError) {
            _ = try members[slot].node?.proposeMembership(change, now: now)
            counts.membershipChanges += 1
        } catch {
            counts.refusals += 1
        }
    }

    private mutating func transfer(_ slot: Int) {
        let now = clock(slot)
        guard !isHealing, let heir = members.randomElement(using: &random)?.id else { return }
        do throws(RaftError) {
            try members[slot].node?.transferLeadership(to: heir, now: now)
            counts.transfers += 1
        } catch {
            counts.refusals += 1
        }
    }

    /// Checkpoints the state machine, then drops a part of the log that it contains.
    private mutating func compact(_ slot: Int) {
        guard let node = members[slot].node, !node.isInstalling,
            members[slot].state.applied <= members[slot].disk.last.index
        else { return }
        members[slot].disk.checkpoint(members[slot].state)
        let first = members[slot].disk.mark.position.index
        let last = members[slot].state.applied
        guard first < last, Bool.random(using: &random) else { return }
        let index = first + Int.random(in: 1...(last - first), using: &random)
        guard let mark = node.mark(at: index) else { return }
        members[slot].node?.compacted(to: index)
        members[slot].disk.compact(to: mark)
    }

    /// In healing: one command and one read in each leader's term.
    private mutating func finalRequests(_ slot: Int) {
        let now = clock(slot)
        guard let node = members[slot].node, node.isLeaderEstablished,
            lastProposal?.term != node.term
        else { return }
        do throws(RaftError) {
            let command = command()
            lastProposal = try members[slot].node?.propose([command], now: now)
            lastReads = [indexRead(slot)]
        } catch {
            counts.refusals += 1
        }
    }

    // MARK: Faults

    mutating func fault() {
        guard !isHealing else { return }
        queue.add(.fault, at: time + .random(in: 10...weather.faultPause, using: &random))
        var slot = Int.random(in: members.indices, using: &random)
        if Int.random(in: 0..<100, using: &random) < weather.leaderPercent,
            let leader = members.indices.filter({ members[$0].node?.isLeader == true })
                .randomElement(using: &random)
        {
            slot = leader
        }
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1, 2: crash(slot)
        case 3: pause(slot)
        case 4: partition()
        case 5: isolate(slot)
        case 6: isolate(slot, butFor: Int.random(in: members.indices, using: &random))
        case 7: scatter()
        case 8: estrange(slot)
        default: cutLinks = []
        }
    }

    private mutating func crash(_ slot: Int) {
        guard members[slot].isUp else { return }
        counts.crashes += 1
        members[slot].crash(using: &random)
        queue.add(.restart(slot), at: time + .random(in: 1...weather.downMax, using: &random))
    }

    private mutating func pause(_ slot: Int) {
        guard isRunning(slot) else { return }
        counts.pauses += 1
        let end = time + .random(in: 1...1200, using: &random)
        members[slot].pausedUntil = end
        queue.add(.resume(slot, generation: members[slot].generation), at: end)
    }

    /// Two sides; sometimes only one of them does not hear the other.
    private mutating func partition() {
        counts.partitions += 1
        cutLinks = []
        let sides = members.map { _ in Bool.random(using: &random) }
        let isOneWay = Int.random(in: 0..<4, using: &random) == 0
        for from in members.indices {
            for to in members.indices where sides[from] != sides[to] {
                if isOneWay, sides[from] { continue }
                cutLinks.insert(from * 64 + to)
            }
        }
    }

    private mutating func isolate(_ slot: Int, butFor friend: Int? = nil) {
        counts.partitions += 1
        cutLinks = []
        for other in members.indices where other != slot && other != friend {
            cutLinks.insert(slot * 64 + other)
            if Bool.random(using: &random) { cutLinks.insert(other * 64 + slot) }
        }
    }

    /// One other node and this one don't hear each other; all others hear both.
    private mutating func estrange(_ slot: Int) {
        counts.partitions += 1
        let rival = Int.random(in: members.indices, using: &random)
        cutLinks = [slot * 64 + rival, rival * 64 + slot]
    }

    /// Every link by itself: who hears whom is no longer the same for two nodes.
    private mutating func scatter() {
        counts.partitions += 1
        cutLinks = []
        for from in members.indices {
            for to in members.indices where Bool.random(using: &random) {
                cutLinks.insert(from * 64 + to)
            }
        }
    }
}
