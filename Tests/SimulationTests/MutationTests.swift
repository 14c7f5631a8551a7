import Core
import Simulation
import Testing

#if DST_MUTATIONS
    /// Bugs that are built in must be noticed: the net is as good as what it catches.
    ///
    /// Each is looked for where it was found before; `dstnode simulate mutations` of a build with
    /// `DST_MUTATIONS` counts worlds from the first seed on, see docs/TESTING.md.
    @Suite(.serialized) struct MutationTests {
        struct Case: Sendable, CustomTestStringConvertible {
            var mutation: Mutation
            var scenario: String
            var seed: UInt64 = 0
            /// Worlds from there on that are played at most.
            var worlds = 4

            var testDescription: String { mutation.rawValue }
        }

        @Test(arguments: Self.cases)
        func `a bug that is built in is noticed`(_ known: Case) throws {
            let hunt = MutationHunt(known.mutation, scenarios: [known.scenario])
            let found = try hunt.run(from: known.seed, worlds: known.worlds)
            #expect(found != nil, "\(known.mutation): \(known.mutation.promise)")
        }

        @Test func `enough bugs are known`() {
            #expect(Set(Self.cases.map(\.mutation)).count >= 25)
        }
    }
#endif
