import Core
import Simulation
import Testing

#if DST_MUTATIONS
    /// Bugs that are built in must be noticed: the net is as good as what it catches. Here are
    /// those that a calm world notices; `dstnode simulate mutations --known`, which `scripts/test`
    /// runs in an optimized build, looks for all.
    @Suite(.serialized) struct MutationTests {
        static let calm = KnownMutation.all.filter { $0.scenario == "calm" }.map(\.mutation)

        @Test(arguments: Self.calm)
        func `a bug that is built in is noticed`(mutation: Mutation) throws {
            let known = try #require(KnownMutation.all.first { $0.mutation == mutation })
            #expect(try known.hunt() != nil, "\(mutation): \(mutation.promise)")
        }

        @Test func `no bug is built in where none was asked for`() {
            #expect(Mutation.allCases.allSatisfy { !Mutation.isOn($0) })
        }

        @Test func `enough bugs are known`() {
            #expect(Set(KnownMutation.all.map(\.mutation)).count >= 25)
            #expect(
                KnownMutation.all.allSatisfy {
                    $0.scenario == MutationHunt.raft || Scenario.named($0.scenario) != nil
                })
        }
    }
#endif
