import Core
import Simulation
import Testing

#if DST_MUTATIONS
    /// Bugs that are built in must be noticed: the net is as good as what it catches. Here are
    /// those that a Raft group alone notices, and two that need a cluster; `dstnode simulate
    /// mutations --known`, which `scripts/test` runs in an optimized build, looks for all.
    @Suite(.serialized) struct MutationTests {
        static let quick =
            KnownMutation.all.filter { $0.scenario == MutationHunt.raft }.map(\.mutation)
            + [.skipIfNoneMatch, .usageKeepsRemoved]

        @Test(arguments: Self.quick)
        func `a bug that is built in is noticed`(mutation: Mutation) throws {
            let known = try #require(KnownMutation.all.first { $0.mutation == mutation })
            #expect(try known.hunt() != nil, "\(mutation): \(mutation.promise)")
        }

        @Test func `no bug is built in where none was asked for`() {
            #expect(Mutation.allCases.allSatisfy { !Mutation.isOn($0) })
        }

        @Test func `of each bug it is known who notices it`() {
            #expect(Set(KnownMutation.all.map(\.mutation)) == Set(Mutation.allCases))
            #expect(
                KnownMutation.all.allSatisfy {
                    $0.scenario == MutationHunt.raft || Scenario.named($0.scenario) != nil
                })
        }
    }
#endif
