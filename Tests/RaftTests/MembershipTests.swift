import Core
import Raft
import Testing

/// Membership changes: thesis chapter 4.
@Suite struct MembershipTests {
    @Test func `4.1: one change at a time`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.change(1, .addLearner(Group.id(4)))
        #expect(throws: RaftError.membershipBusy) {
            try group.change(1, .addLearner(Group.id(5)))
        }
        group.deliver()
        try group.change(1, .addLearner(Group.id(5)))
    }

    @Test func `4.1: no change before the leader has committed in its term`() {
        var group = Group(voters: 3)
        group.timeOut(1)
        group.deliver(where: { !$0.isAppend })
        #expect(group[1].isLeader)
        #expect(throws: RaftError.membershipBusy) { try group.change(1, .remove(Group.id(3))) }
    }

    @Test func `4.1: a change is in effect when it is in the log, and out when it is cut off`()
        throws
    {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [1]
        try group.change(1, .remove(Group.id(3)))
        #expect(group[1].membership.voters.count == 2)
        group.elect(2)
        group.isolated = []
        group.run(milliseconds: 300)
        #expect(group[1].membership.voters.count == 3)
    }

    @Test func `4.2.1: a learner gets everything and counts for nothing`() throws {
        var group = Group(voters: 2, learners: 1)
        group.elect(1)
        try group.propose(1, "x")
        group.deliver(where: { $0.from == Group.id(3) || $0.to == Group.id(3) })
        #expect(group[3].lastPosition.index == LogIndex(rawValue: 2))
        #expect(group[1].commitIndex == LogIndex(rawValue: 1))
        group.timeOut(3)
        #expect(group[3].role == .follower)
    }

    @Test func `4.2.1: a learner that was promoted votes and commits`() throws {
        var group = Group(voters: 1)
        group.tick(1)
        group.add()
        try group.change(1, .addLearner(Group.id(2)))
        group.deliver()
        try group.change(1, .promote(Group.id(2)))
        #expect(group[1].commitIndex < group[1].lastPosition.index)
        group.deliver()
        #expect(group[1].commitIndex == group[1].lastPosition.index)
        group.run(milliseconds: 200)
        group.elect(2)
        #expect(group[2].isLeader)
    }

    @Test func `4.2.2: a leader that is removed steps down when that is committed`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.change(1, .remove(Group.id(1)))
        #expect(group[1].isLeader)
        // Its own log does not count: 2 alone is no majority of 2 and 3.
        group.deliver(where: { $0.to == Group.id(2) })
        group.deliver(where: { $0.from == Group.id(2) && $0.to == Group.id(1) })
        #expect(group[1].isLeader)
        group.deliver()
        #expect(!group[1].isLeader)
        #expect(group[2].isLeader || group[3].isLeader)
    }

    @Test func `4.2.2: who alone has the entry that removes it may still be elected`() throws {
        var group = Group(voters: 2)
        group.elect(1)
        group.isolated = [2]
        try group.change(1, .remove(Group.id(1)))
        group.restart(1)
        group.isolated = []
        group.elect(1)
        group.run(milliseconds: 300)
        #expect(group[2].membership.voters == [Group.id(2)])
        group.run(milliseconds: 3000)
        #expect(group[2].isLeader)
    }

    @Test func `pointless changes are refused`() {
        var group = Group(voters: 1)
        group.tick(1)
        let changes: [MembershipChange] = [
            .remove(Group.id(1)), .remove(Group.id(9)), .promote(Group.id(9)),
            .addLearner(Group.id(1)),
        ]
        for change in changes {
            #expect(throws: RaftError.membershipPointless) { try group.change(1, change) }
        }
    }
}
