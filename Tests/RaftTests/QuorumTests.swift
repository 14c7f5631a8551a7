import Core
import Testing

@testable import Raft

@Suite struct QuorumTests {
    @Test(arguments: 0..<500 as Range<UInt64>)
    func `a majority reaches what a sorted list says`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let values = (0..<Int.random(in: 1...9, using: &random)).map { _ in
            Int.random(in: 0...5, using: &random)
        }
        // Of an odd count the middle, of an even one the lower of the two in the middle.
        let sorted = values.sorted()
        #expect(Quorum.reached(values) == sorted[(values.count - 1) / 2])
    }

    @Test func `nobody reaches nothing`() {
        #expect(Quorum.reached([Int]()) == nil)
    }

    @Test func `an election is won by a majority and lost when none is left`() {
        for voters in 1...9 {
            for granted in 0...voters {
                for refused in 0...(voters - granted) {
                    let outcome = Quorum.outcome(
                        granted: granted, refused: refused, voters: voters)
                    let open = voters - granted - refused
                    if granted * 2 > voters {
                        #expect(outcome == .won)
                    } else if (granted + open) * 2 <= voters {
                        #expect(outcome == .lost)
                    } else {
                        #expect(outcome == .open)
                    }
                }
            }
        }
    }

    @Test(arguments: 1...7)
    func `majorities of neighbouring memberships meet`(count: Int) {
        // 4.1: all pairs of majorities of count and count + 1 voters.
        let smaller = Quorum.majority(of: count)
        let larger = Quorum.majority(of: count + 1)
        #expect(smaller + larger > count + 1)
    }
}
