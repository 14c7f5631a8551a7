import Core
import Raft

/// The duties of a shell, as the module page of `Raft` lists them.
extension RaftWorld {
    /// Does all that the core wants done.
    mutating func pump(_ slot: Int) throws(RaftChecker.Failure) {
        let now = clock(slot)
        while let node = members[slot].node, node.hasReady {
            try observe(slot)
            guard let ready = members[slot].node?.ready(now: now) else { return }
            try checker.appended(ready.entries, by: node)
            for message in ready.messagesNow { send(message) }
            if ready.write != nil { begin(.log(ready), slot) }
            for read in ready.readStates { try answer(read, slot) }
            members[slot].toApply.append(contentsOf: ready.committed)
            if let mark = ready.snapshotToInstall, let arrived = members[slot].arrived {
                precondition(arrived.mark == mark, "it arrived just before")
                begin(.install(mark, arrived.state), slot)
            }
            for node in ready.snapshotsToSend { sendSnapshot(slot, to: node) }
            for wanted in ready.entriesWanted {
                counts.diskFetches += 1
                let generation = members[slot].generation
                queue.add(
                    .supply(slot, generation: generation, wanted), at: time + diskDelay())
            }
            try startApplying(slot)
        }
        try observe(slot)
    }

    /// What the checker wants to know after each step.
    private mutating func observe(_ slot: Int) throws(RaftChecker.Failure) {
        guard let node = members[slot].node else { return }
        if let index = node.forgotten {
            throw RaftChecker.Failure(text: "\(node.id) takes its log for one without \(index)")
        }
        if node.commitIndex > members[slot].commitSeen {
            try checker.committed(from: members[slot].commitSeen, by: node)
            members[slot].commitSeen = node.commitIndex
        }
        if node.isLeader, members[slot].wasLeaderIn != node.term {
            members[slot].wasLeaderIn = node.term
            counts.elections += 1
            try checker.becameLeader(node)
        }
    }

    // MARK: Network

    private mutating func send(_ message: RaftMessage) {
        guard let from = slot(of: message.from), let to = slot(of: message.to) else { return }
        counts.messages += 1
        if isCut(from, to) || Int.random(in: 0..<100, using: &random) < weather.lossPercent {
            return
        }
        queue.add(.arrive(to, .message(message)), at: time + networkDelay())
        if Int.random(in: 0..<100, using: &random) < weather.doublePercent {
            queue.add(.arrive(to, .message(message)), at: time + networkDelay() * 3)
        }
    }

    func isCut(_ from: Int, _ to: Int) -> Bool { cutLinks.contains(from * 64 + to) }

    private mutating func networkDelay() -> UInt64 {
        if weather.straggler > 0, Int.random(in: 0..<weather.straggler, using: &random) == 0 {
            return .random(in: 1...1000, using: &random)
        }
        return .random(in: 1...weather.delayMax, using: &random)
    }

    mutating func arrive(
        _ slot: Int, _ arrival: SimulatedMember.Arrival
    ) throws(RaftChecker.Failure) {
        guard members[slot].isUp else { return }
        guard isRunning(slot) else {
            members[slot].inbox.append(arrival)
            return
        }
        take(arrival, slot)
        try pump(slot)
    }

    private mutating func take(_ arrival: SimulatedMember.Arrival, _ slot: Int) {
        let now = clock(slot)
        switch arrival {
        case .message(let message): members[slot].node?.step(message, now: now)
        case .snapshot(let message, let state):
            // One that is being installed is not replaced.
            guard case .snapshot(let mark) = message.kind, members[slot].arrived == nil else {
                return
            }
            members[slot].arrived = (mark, state)
            members[slot].node?.step(message, now: now)
            if members[slot].node?.isInstalling != true { members[slot].arrived = nil }
        }
    }

    mutating func resume(_ slot: Int) throws(RaftChecker.Failure) {
        let now = clock(slot)
        guard members[slot].isUp else { return }
        members[slot].pausedUntil = 0
        // The first thing it does may be to answer a read, as if no time had passed.
        try leaseRead(slot)
        if Bool.random(using: &random) { members[slot].node?.tick(now: now) }
        let arrivals = members[slot].inbox
        members[slot].inbox = []
        for arrival in arrivals { take(arrival, slot) }
        if members[slot].isDiskBusy { try finishWrite(slot) }
        if members[slot].isApplying { try apply(slot) }
        try pump(slot)
    }

    // MARK: Disk

    private mutating func diskDelay() -> UInt64 { .random(in: 1...weather.diskMax, using: &random) }

    private mutating func begin(_ write: MemberDisk.Write, _ slot: Int) {
        members[slot].disk.begin(write)
        startWrite(slot)
    }

    private mutating func startWrite(_ slot: Int) {
        guard !members[slot].isDiskBusy else { return }
        members[slot].isDiskBusy = true
        queue.add(
            .diskDone(slot, generation: members[slot].generation), at: time + diskDelay())
    }

    mutating func finishWrite(_ slot: Int) throws(RaftChecker.Failure) {
        let now = clock(slot)
        guard isRunning(slot), members[slot].isDiskBusy else { return }
        members[slot].isDiskBusy = false
        guard let write = members[slot].disk.finishWrite() else { return }
        startWrite(slot)
        switch write {
        case .log(let ready):
            if let number = ready.write {
                members[slot].node?.persisted(write: number, now: now)
            }
            for message in ready.messagesAfterPersist { send(message) }
        case .install(_, let state):
            counts.snapshotsInstalled += 1
            members[slot].state = state
            members[slot].toApply = []
            members[slot].arrived = nil
            try checker.isReached(state)
            members[slot].node?.snapshotInstalled(now: now)
            members[slot].commitSeen = max(members[slot].commitSeen, state.applied)
        }
        try pump(slot)
    }

    mutating func supply(
        _ slot: Int, _ wanted: RaftReady.EntriesWanted
    ) throws(RaftChecker.Failure) {
        let now = clock(slot)
        guard members[slot].isUp else { return }
        let found = members[slot].disk.read(wanted)
        members[slot].node?.supply(
            wanted, previousTerm: found?.previousTerm ?? .zero, entries: found?.entries ?? [],
            now: now)
        try pump(slot)
    }

    // MARK: State machine

    private mutating func startApplying(_ slot: Int) throws(RaftChecker.Failure) {
        guard !members[slot].toApply.isEmpty, !members[slot].isApplying else { return }
        members[slot].isApplying = true
        if weather.applyMax == 0 {
            try apply(slot)
        } else {
            queue.add(
                .apply(slot, generation: members[slot].generation),
                at: time + .random(in: 1...weather.applyMax, using: &random))
        }
    }

    mutating func apply(_ slot: Int) throws(RaftChecker.Failure) {
        guard isRunning(slot), members[slot].isApplying else { return }
        members[slot].isApplying = false
        while let entry = members[slot].toApply.popFirst() {
            precondition(entry.index == members[slot].state.applied.next, "applied in order")
            members[slot].state.apply(entry)
            try checker.applied(entry, state: members[slot].state)
            members[slot].node?.applied(entry.index)
        }
        try pump(slot)
    }

    /// The state as it is now goes out; the receiver gets all of it or nothing.
    private mutating func sendSnapshot(_ slot: Int, to node: NodeID) {
        let member = members[slot]
        guard let core = member.node, let mark = core.mark(at: member.state.applied),
            let to = self.slot(of: node)
        else { return }
        let isLost =
            isCut(slot, to) || Int.random(in: 0..<100, using: &random) < weather.lossPercent
        let arrival = time + networkDelay() * 4
        if !isLost {
            let message = RaftMessage(
                from: member.id, to: node, term: core.term, kind: .snapshot(mark))
            queue.add(.arrive(to, .snapshot(message, member.state)), at: arrival)
        }
        queue.add(
            .snapshotSent(
                slot, generation: member.generation, to: node, mark, isDelivered: !isLost),
            at: arrival + 1)
    }
}
