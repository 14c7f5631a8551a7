import Core
import Foundation
import Simulation
import Testing

@testable import Catalogue

/// The power goes at every write, sync, renaming and removal of a store's files.
struct CrashPointTests {
    @Test(arguments: CrashScript.all.keys.sorted())
    func `the power may go at any point and leave anything`(workload: String) throws {
        guard CrashPlace.isWanted(workload: workload) else { return }
        var check = try CrashCheck(workload)
        try check.run(CrashScript.all[workload]!)
        print("COUNT", workload, check.pointCount, check.imageCount, check.recoveryCount)
        #expect(check.wrong.isEmpty, "\(check.wrong.joined(separator: "\n"))")
        #expect(CrashPlace.isReplay || check.imageCount > 100)
    }
}

/// What is done to a store.
enum CrashScript {
    enum Step {
        /// So many entries in one batch, with a note.
        case apply(Int)
        /// Nothing but a note.
        case note
        case checkpoint
        /// The same while somebody reads an older state.
        case checkpointBesideReader
        case writeSnapshot
        /// Of another replica, so many batches of as many entries ahead.
        case install(batches: Int, entries: Int)
        case reopen
    }

    static let all: [String: [Step]] = [
        "batches": [
            .apply(1), .apply(4), .checkpoint, .apply(2), .note, .apply(3), .checkpoint,
            .apply(1), .checkpointBesideReader, .apply(2), .apply(1), .checkpoint, .apply(1),
        ],
        "snapshots": [
            .apply(24), .checkpoint, .apply(2), .writeSnapshot, .apply(2), .checkpoint, .apply(1),
            .install(batches: 3, entries: 4), .apply(2), .reopen, .apply(1),
            .install(batches: 1, entries: 2), .checkpoint,
        ],
    ]
}
