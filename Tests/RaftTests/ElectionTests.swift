import Core
import Raft
import Testing

extension RaftMessage {
    var isAppend: Bool {
        if case .append = kind { return true }
        return false
    }

    var isVoteReply: Bool {
        if case .voteReply(let reply) = kind { return !reply.isPreVote }
        return false
    }
}

/// Leader election: thesis chapters 3, 6.2 and 9.6.
@Suite struct ElectionTests {
    @Test func `3.4: a majority elects one leader, which the others follow`() {
        var group = Group(voters: 5)
        group.elect(1)
        #expect((1...5).map { group[$0].leader } == [NodeID?](repeating: Group.id(1), count: 5))
        #expect((1...5).filter { group[$0].isLeader } == [1])
    }

    @Test func `3.4: time-outs are spread over one to two times the minimum`() {
        var group = Group(voters: 5)
        var order: [UInt64: Int] = [:]
        for elapsed in stride(from: UInt64(50), through: 2000, by: 50) {
            group.now += 50
            for number in 1...5 where group[number].role == .follower {
                group.tick(number)
                if group[number].role != .follower { order[elapsed, default: 0] += 1 }
            }
            group.drop()
        }
        #expect(order.keys.allSatisfy { $0 >= 1000 })
        #expect(order.values.reduce(0, +) == 5)
        #expect(order.count > 1)
    }

    @Test func `3.4: a node votes once in a term, first come, first served`() {
        var group = Group(voters: 3)
        let vote = RaftMessage.Kind.vote(.init(isPreVote: false, isForced: false, last: .zero))
        for candidate in [1, 2, 1] {
            group.step(
                RaftMessage(
                    from: Group.id(candidate), to: Group.id(3), term: Term(rawValue: 1),
                    kind: vote))
        }
        #expect(
            group.wire.map(\.text) == [
                "3 -> 1 term 1: vote granted", "3 -> 2 term 1: vote refused",
                "3 -> 1 term 1: vote granted",
            ])
    }

    @Test func `3.4: a candidate that hears its term's leader follows it`() {
        var group = Group(voters: 3)
        group.timeOut(1)
        group.timeOut(2)
        group.deliver(where: { !$0.isVoteReply && !$0.isAppend })
        group.deliver()
        #expect((1...3).filter { group[$0].isLeader }.count == 1)
        #expect(Set((1...3).map { group[$0].leader }).count == 1)
    }

    @Test func `3.6.1: who lacks a committed entry is not elected`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [3]
        try group.propose(1, "x")
        group.deliver()
        group.isolated = [1]
        group.elect(3)
        #expect(!group[3].isLeader)
        group.elect(2)
        #expect(group[2].isLeader)
    }

    @Test func `3.6.1: a later term beats a longer log`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [1]
        for command in ["a", "b", "c"] { try group.propose(1, command) }
        group.elect(2)
        group.isolated = [2]
        group.elect(1)
        #expect(!group[1].isLeader)
        group.elect(3)
        #expect(group[3].isLeader)
    }

    @Test func `3.8: a vote leaves after it is durable, and is remembered`() {
        var group = Group(voters: 3)
        group.members[1].isHeld = true
        group.elect(1)
        group.drop()
        let isSent = group.wire.contains { $0.isVoteReply && $0.from == Group.id(2) }
        #expect(!isSent)
        group.sync(2)
        #expect(group.wire.first?.text == "2 -> 1 term 1: vote granted")
        group.restart(2)
        let vote = RaftMessage.Kind.vote(.init(isPreVote: false, isForced: true, last: .zero))
        group.step(
            RaftMessage(
                from: Group.id(3), to: Group.id(2), term: Term(rawValue: 1), kind: vote))
        #expect(group.wire.last?.text == "2 -> 3 term 1: vote refused")
    }

    @Test func `3.8: a candidate counts its own vote only when it is durable`() {
        var group = Group(voters: 1)
        group.members[0].isHeld = true
        group.tick(1)
        #expect(group[1].role == .candidate)
        group.sync(1)
        #expect(group[1].isLeader)
    }

    @Test func `6.2: a leader without a majority steps down`() {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [1]
        group.run(milliseconds: 900)
        #expect(group[1].isLeader)
        group.run(milliseconds: 200)
        #expect(!group[1].isLeader)
    }

    @Test func `4.2.3: who hears a leader does not vote for another`() {
        var group = Group(voters: 3)
        group.elect(1)
        let vote = RaftMessage.Kind.vote(
            .init(isPreVote: false, isForced: false, last: group[2].lastPosition))
        let message = RaftMessage(
            from: Group.id(3), to: Group.id(2), term: Term(rawValue: 9), kind: vote)
        group.step(message)
        #expect(group[2].term == Term(rawValue: 1))
        group.now += 1000
        group.step(message)
        #expect(group[2].term == Term(rawValue: 9))
    }

    @Test func `6.4.1: a node that restarts does not forget that it may have heard a leader`() {
        var group = Group(voters: 3)
        group.elect(1)
        group.restart(2)
        let vote = RaftMessage.Kind.vote(
            .init(isPreVote: false, isForced: false, last: group[2].lastPosition))
        let message = RaftMessage(
            from: Group.id(3), to: Group.id(2), term: Term(rawValue: 9), kind: vote)
        group.step(message)
        #expect(group[2].term == Term(rawValue: 1))
    }

    @Test func `9.6: a node that can't win does not raise its term`() {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [3]
        group.run(milliseconds: 10_000)
        #expect(group[3].term == Term(rawValue: 1))
        group.isolated = []
        group.run(milliseconds: 500)
        #expect(group[1].isLeader)
        #expect((1...3).allSatisfy { group[$0].term == Term(rawValue: 1) })
    }

    @Test func `3.3: a leader that hears of a newer term follows`() {
        var group = Group(voters: 3)
        group.elect(1)
        group.step(
            RaftMessage(
                from: Group.id(2), to: Group.id(1), term: Term(rawValue: 5),
                kind: .heartbeatReply(.init(stamp: .zero))))
        #expect(group[1].role == .follower)
        #expect(group[1].term == Term(rawValue: 5))
    }

    @Test func `3.10: leadership goes where it is sent, and the lease is not used after`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        try group.transfer(1, to: 2)
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
        #expect(throws: RaftError.transferring(to: Group.id(2))) { try group.propose(1, "x") }
        group.deliver()
        #expect(group[2].isLeader)
        #expect(group[1].leader == Group.id(2))
    }

    @Test func `3.10: a transfer that fails is given up after an election time-out`() throws {
        var group = Group(voters: 3)
        group.elect(1)
        group.isolated = [2]
        try group.transfer(1, to: 2)
        group.run(milliseconds: 1100)
        try group.propose(1, "x")
        group.deliver()
        #expect(group.commands(1) == ["x"])
        #expect(group[1].leaseReadIndex(now: group.time) == nil)
        #expect(throws: RaftError.notAnotherVoter) { try group.transfer(1, to: 1) }
    }
}
