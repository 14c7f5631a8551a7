import Catalogue
import Core
import Foundation
import Raft

extension RaftHost.Configuration {
    /// The Raft groups of a cluster with their stores, under `directory`: the system range, and the
    /// ranges of the object index.
    ///
    /// - Parameters:
    ///   - directory: Exists; the stores' own directory is made in it.
    ///   - seed: Of election time-outs.
    /// - Throws: Where the directory can't be made.
    package init(
        me: NodeID, directory: String, proposal: FormationProposal, seed: UInt64
    ) throws {
        let path = directory + "/catalogue"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        // Who is no founder waits until the leaders make it a member.
        let first =
            proposal.includes(me) ? Membership(voters: proposal.members.map(\.node)) : nil
        var groups = [
            Group(range: .system, firstMembership: first) {
                try SystemStore.open(path: path + "/system.sqlite")
            }
        ]
        for number in 1...max(1, proposal.settings.rangeCount) {
            let range = RangeID(rawValue: UInt32(number))
            groups.append(
                Group(range: range, firstMembership: first) {
                    try RangeStore.open(path: path + "/\(range).sqlite", range: range)
                })
        }
        self.init(me: me, directory: directory, groups: groups, seed: seed)
    }
}
