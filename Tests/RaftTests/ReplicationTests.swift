import Core
import Raft
import Testing

/// Log replication and its bounds: thesis chapters 3.5, 3.6.2, 5 and 10.2.
@Suite struct ReplicationTests {
    @Test func `3.5: what a majority stores is committed and applied in order`() throws {
        var group = Group(voters: 5)
        group.elect(1)
        group.isolated = [4, 5]
        for command in ["a", "b", "c"] { try group.propose(1, command) }
        group.deliver()
        #expect(group.commands(1) == ["a", "b", "c"])
        group.isolated = [3, 4, 5]
        try group.propose(1, "d")
        group.deliver()
        #expect(group.commands(1) == ["a", "b", "c"])
    }

    @Test func `3.6.2: what nobody can have does not commit`() {
        var group = Group(voters: 3)
        group.elect(1)
        let last = group[1].lastPosition.index
        for peer in [2, 3] {
            let reply = RaftMessage.AppendReply(outcome: .matched(last + 100), stamp: .zero)
            group.step(
                RaftMessage(
                    from: Group.id(peer), to: Group.id(1), term: group[1].term,
                    kind: .appendReply(reply)))
        }
        #expect(group[1].commitIndex <= last)
    }

    @Test func `3.5: an old append does not cut off newer entries`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.propose(1, "a")
        let old = try #require(group.wire.first { $0.isAppend && $0.to == Group.id(2) })
        try group.propose(1, "b")
        group.deliver()
        let last = group[2].lastPosition
        group.step(old)
        #expect(group[2].lastPosition == last)
    }

    @Test func `a log without what it acknowledged is found out by a heartbeat`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.propose(1, "a")
        group.deliver()
        let older = group.members[1].disk
        try group.propose(1, "b")
        group.deliver()
        group.run(milliseconds: 500)
        group.restart(2)
        group.run(milliseconds: 500)
        #expect(group[2].forgotten == nil)
        group.crash(2)
        group.members[1].disk = older
        group.restart(2)
        group.run(milliseconds: 500)
        #expect(group[2].forgotten == group[1].lastPosition.index)
        #expect(group[3].forgotten == nil)
    }

    @Test func `3.5: two logs that differ for long agree after a few messages`() throws {
        var group = Group(voters: 3) { $0.appendBytesMax = 200 }
        group.elect(1)
        group.isolated = [2, 3]
        for number in 0..<100 { try group.propose(1, "lost \(number)") }
        group.isolated = [1]
        group.elect(2)
        for number in 0..<100 { try group.propose(2, "kept \(number)") }
        group.deliver()
        group.isolated = []
        group.transcript = []
        group.run(milliseconds: 300)
        let rejections = group.transcript.filter { $0.contains("rejected") }
        #expect(rejections.count <= 3)
        #expect(group[1].lastPosition == group[2].lastPosition)
        #expect(group.commands(1) == group.commands(2))
    }

    @Test func `3.6.2, figure 3.7: entries of older terms are not committed by counting`() throws {
        var group = Group(voters: 5) { $0.appendBytesMax = 1 }
        group.elect(1)
        try group.propose(1, "a")
        // (a) Only 2 gets entry 2 of term 1.
        group.deliver(where: { $0.to == Group.id(2) })
        group.drop()
        group.crash(1)
        // (b) 5 leads term 2 by the votes of 3 and 4, and keeps its entry 2 for itself.
        group.isolated = [2]
        group.timeOut(5)
        group.deliver(where: { !$0.isAppend })
        #expect(group[5].isLeader)
        group.drop()
        group.crash(5)
        // (c) 1 leads term 3 and brings entry 2 of term 1 to 3 and 4: a majority has it.
        group.isolated = [4]
        group.restart(1)
        group.timeOut(1)
        group.deliver(where: { !$0.isAppend })
        group.isolated = []
        group.timeOut(1)
        group.deliver(where: { !$0.isAppend })
        #expect(group[1].isLeader)
        for number in [3, 3, 4, 4] {
            group.deliver(where: { $0.isAppend && $0.to == Group.id(number) })
            group.deliver(where: { $0.to == Group.id(1) })
        }
        #expect(group[3].lastPosition == group[2].lastPosition)
        #expect(group[3].lastPosition.term == Term(rawValue: 1))
        #expect(group[3].lastPosition.index == LogIndex(rawValue: 2))
        #expect(group[1].commitIndex < LogIndex(rawValue: 2))
        // (d) So 5 may still overwrite it everywhere.
        group.drop()
        group.crash(1)
        group.restart(5)
        // The first time it learns the term that it slept through.
        group.elect(5)
        group.elect(5)
        #expect(group[5].isLeader)
        #expect(group[5].term(at: LogIndex(rawValue: 2)) == Term(rawValue: 2))
        #expect(group[5].isLeaderEstablished)
    }

    @Test func `10.2.1: a leader counts itself only when its entry is durable`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.members[0].isHeld = true
        group.isolated = [3]
        try group.propose(1, "x")
        group.deliver()
        #expect(group[1].commitIndex == LogIndex(rawValue: 1))
        group.sync(1)
        group.pump(1)
        #expect(group.commands(1) == ["x"])
    }

    @Test func `a write that was overtaken by a truncation does not count`() {
        // Entry 1 is written in term 1, cut off by term 2, and back in term 3: only the third
        // write makes it durable.
        var node = RaftNode(
            configuration: RaftConfiguration(id: Group.id(1)),
            recovery: RaftRecovery(first: Membership(voters: (1...3).map(Group.id))), seed: 1,
            now: MonotonicTime(milliseconds: 1))
        let now = MonotonicTime(milliseconds: 2)
        var writes: [UInt64] = []
        for (leaderTerm, entryTerm) in [(1, 1), (2, 2), (3, 1)] as [(UInt64, UInt64)] {
            // A newer leader with an older log does not exist; the core must not depend on it.
            let entry = RaftEntry(
                term: Term(rawValue: entryTerm), index: LogIndex(rawValue: 1), payload: .empty)
            let request = RaftMessage.AppendRequest(
                previous: .zero, entries: [entry], commit: LogIndex(rawValue: leaderTerm / 3),
                stamp: .zero)
            node.step(
                RaftMessage(
                    from: Group.id(2), to: Group.id(1), term: Term(rawValue: leaderTerm),
                    kind: .append(request)), now: now)
            let ready = node.ready(now: now)
            #expect(ready.messagesNow.isEmpty)
            writes.append(ready.write ?? 0)
        }
        node.persisted(write: writes[0], now: now)
        #expect(node.ready(now: now).committed.isEmpty)
        node.persisted(write: writes[1], now: now)
        #expect(node.ready(now: now).committed.isEmpty)
        node.persisted(write: writes[2], now: now)
        #expect(node.ready(now: now).committed.count == 1)
    }

    @Test func `5: a follower that is too far behind is sent a snapshot`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [3]
        for number in 0..<20 { try group.propose(1, "\(number)") }
        group.deliver()
        group.compact(1)
        group.isolated = []
        group.run(milliseconds: 500)
        #expect(group[3].appliedIndex == group[1].appliedIndex)
        #expect(group.transcript.contains { $0.hasPrefix("3: installs") })
        try group.propose(1, "after")
        group.deliver()
        group.run(milliseconds: 100)
        #expect(group.commands(3) == ["after"])
    }

    @Test func `5: a snapshot of what the log already has only tells what is committed`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.propose(1, "a")
        try group.propose(1, "b")
        group.deliver()
        let mark = try #require(group[1].mark(at: LogIndex(rawValue: 2)))
        group.step(
            RaftMessage(
                from: Group.id(1), to: Group.id(2), term: group[1].term, kind: .snapshot(mark)))
        #expect(!group[2].isInstalling)
        #expect(group[2].lastPosition.index == LogIndex(rawValue: 3))
    }

    @Test func `entries that left memory are read from disk for a slow follower`() throws {
        var group = Group(voters: 3) {
            $0.appendBytesMax = 200
            $0.tailBytesMax = 200
        }
        group.elect(1)
        group.isolated = [3]
        for number in 0..<50 {
            try group.propose(1, "\(number)")
            group.deliver()
        }
        group.isolated = []
        group.transcript = []
        group.run(milliseconds: 500)
        #expect(group.commands(3) == group.commands(1))
        #expect(group.transcript.contains { $0.contains("on disk") })
        #expect(!group.transcript.contains { $0.contains("snapshot") })
    }

    @Test func `proposals are refused when too much waits`() throws {
        var group = Group(voters: 3) {
            $0.appendBytesMax = 100
            $0.inflightBytesMax = 100
            $0.unappliedBytesMax = 1000
        }
        group.elect(1)
        group.isolated = [2, 3]
        let text = String(repeating: "x", count: 200)
        for _ in 0..<4 { try group.propose(1, text) }
        #expect(throws: RaftError.overloaded) { try group.propose(1, text) }
        let huge = String(repeating: "x", count: RaftLimits.commandBytesMax + 1)
        #expect(throws: RaftError.commandTooLarge) { try group.propose(1, huge) }
    }

    @Test func `unanswered appends are bounded`() throws {
        var group = Group(voters: 3) { $0.inflightAppendsMax = 4 }
        group.elect(1)
        for number in 0..<20 { try group.propose(1, "\(number)") }
        #expect(group.wire.filter { $0.to == Group.id(2) }.count == 4)
        group.deliver()
        #expect(group.commands(1).count == 20)
    }

    @Test func `committed entries come in bounded batches`() {
        let payload = [UInt8](repeating: 1, count: 68)
        var recovery = RaftRecovery(first: Membership(voters: [Group.id(1)]))
        recovery.hardState = HardState(term: Term(rawValue: 1), votedFor: nil)
        recovery.entries = (1...10).map {
            RaftEntry(
                term: Term(rawValue: 1), index: LogIndex(rawValue: $0), payload: .command(payload))
        }
        var configuration = RaftConfiguration(id: Group.id(1))
        configuration.commitBatchBytesMax = 250
        var now = MonotonicTime(milliseconds: 1)
        var node = RaftNode(configuration: configuration, recovery: recovery, seed: 1, now: now)
        var batches: [Int] = []
        for _ in 0..<20 {
            now = MonotonicTime(milliseconds: now.milliseconds + 50)
            node.tick(now: now)
            let ready = node.ready(now: now)
            if let write = ready.write { node.persisted(write: write, now: now) }
            guard let last = ready.committed.last else { continue }
            batches.append(ready.committed.count)
            // Nothing more while this much isn't applied.
            #expect(node.ready(now: now).committed.count <= 1)
            if node.appliedIndex < last.index { node.applied(last.index) }
        }
        #expect(batches.allSatisfy { $0 <= 3 })
        #expect(node.appliedIndex >= LogIndex(rawValue: 10))
    }
}
