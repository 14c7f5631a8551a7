import Core
import Raft
import Testing

/// Linearizable reads: thesis chapter 6.4.
@Suite struct ReadTests {
    @Test func `6.4: a read is answered after a majority confirms the leader`() throws {
        var group = Group(voters: 5)
        group.elect(1)
        try group.propose(1, "x")
        group.deliver()
        group.isolated = [4, 5]
        try group.read(1, 7)
        #expect(group.reads(1).isEmpty)
        group.deliver()
        #expect(group.reads(1) == [7: LogIndex(rawValue: 2)])
        group.isolated = [3, 4, 5]
        try group.read(1, 8)
        group.deliver()
        #expect(group.reads(1)[8] == nil)
    }

    @Test func `6.4: an answer to an earlier round confirms no later read`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.read(1, 1)
        group.deliver(where: { $0.to != Group.id(1) })
        try group.read(1, 2)
        group.drop(where: { $0.from == Group.id(1) })
        group.deliver()
        #expect(group.reads(1) == [1: LogIndex(rawValue: 1)])
    }

    @Test func `6.4: a new leader answers nothing before it has committed in its term`() throws {
        var group = Group(voters: 3)
        group.timeOut(1)
        group.deliver(where: { !$0.isAppend })
        #expect(group[1].isLeader)
        try group.read(1, 1)
        group.deliver(where: { !$0.isAppend })
        #expect(group.reads(1).isEmpty)
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
        group.deliver()
        #expect(group.reads(1) == [1: LogIndex(rawValue: 1)])
    }

    @Test func `6.4.1: the lease lasts the election time-out less the clocks' drift`() {
        var group = Group(voters: 3) { $0.clockDriftPercentMax = 20 }
        group.elect(1)
        group.now += 799
        #expect(group[1].leaseReadIndex(now: group.time) == LogIndex(rawValue: 1))
        group.now += 1
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
    }

    @Test func `6.4.1: the lease counts from when the leader sent, not from the answer`() {
        var group = Group(voters: 3)
        group.elect(1)
        group.now += 500
        group.tick(1)
        group.now += 600
        group.deliver()
        #expect(group[1].leaseReadIndex(now: group.time) == LogIndex(rawValue: 1))
        group.now += 300
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
    }

    @Test func `6.4.1: a process that was paused does not believe an old lease`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [1]
        group.elect(2)
        try group.propose(2, "x")
        group.deliver()
        // It has not ticked, and nothing has arrived: all it has is the time.
        #expect(group[1].isLeader)
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
    }

    @Test func `a leader that steps down says so to those who wait`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [1]
        try group.read(1, 1)
        group.run(milliseconds: 1100)
        #expect(group.reads(1) == [1: LogIndex?.none])
        #expect(throws: RaftError.notLeader(leader: nil)) { try group.read(1, 2) }
    }

    @Test func `waiting reads are bounded`() throws {
        var group = Group(voters: 3) { $0.pendingReadsMax = 2 }
        group.elect(1)
        try group.read(1, 1)
        try group.read(1, 2)
        #expect(throws: RaftError.overloaded) { try group.read(1, 3) }
    }

    @Test func `a group of one reads without asking`() throws {
        var group = Group(voters: 1)
        group.tick(1)
        try group.read(1, 1)
        #expect(group.reads(1) == [1: LogIndex(rawValue: 1)])
        #expect(group[1].leaseReadIndex(now: group.time) == LogIndex(rawValue: 1))
    }
}
