import Core
import Foundation
import Raft
import Testing

/// Conversations as they were once read and found right. `REWRITE=1` writes what happens now.
///
/// A line `> command` is followed by what came of it, up to an empty line; `#` begins a comment.
@Suite struct ScriptTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scripts")

    static let names = [
        "election", "prevote", "replication", "conflict", "slow-disk", "reads", "transfer",
        "membership", "snapshot", "removed-leader",
    ]

    @Test(arguments: names)
    func `the conversation goes as written`(name: String) throws {
        let file = Self.folder.appending(path: name + ".txt")
        let text = try String(contentsOf: file, encoding: .utf8)
        let played = try Self.play(text)
        if ProcessInfo.processInfo.environment["REWRITE"] == "1" {
            try played.write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(played == text)
        }
    }

    static func play(_ text: String) throws -> String {
        var group = Group(voters: 3)
        var output: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if line.hasPrefix("#") { output.append(String(line)) }
            guard line.hasPrefix("> ") else { continue }
            if output.last?.hasPrefix("#") == false { output.append("") }
            output.append(String(line))
            group.transcript = []
            do {
                try perform(line.dropFirst(2).split(separator: " ").map(String.init), on: &group)
            } catch let error as RaftError {
                group.transcript.append("refused: \(error.text)")
            }
            output += group.transcript
        }
        return output.joined(separator: "\n") + "\n"
    }

    private static func perform(_ words: [String], on group: inout Group) throws {
        let first = words.count > 1 ? Int(words[1]) ?? 0 : 0
        let second = words.count > 2 ? Int(words[2]) ?? 0 : 0
        switch words[0] {
        case "group": group = Group(voters: first, learners: second)
        case "time-out": group.timeOut(first)
        case "tick": group.tick(first)
        case "advance": group.now += UInt64(first)
        case "run": group.run(milliseconds: UInt64(first))
        case "deliver": group.deliver(where: filter(words))
        case "drop": group.drop(where: filter(words))
        case "propose": try group.propose(first, words[2])
        case "read": try group.read(first, UInt64(second))
        case "lease":
            let index = group[first].leaseReadIndex(now: group.time)
            group.transcript.append(index.map { "read at \($0)" } ?? "no lease")
        case "transfer": try group.transfer(first, to: second)
        case "new": group.add()
        case "add": try group.change(first, .addLearner(Group.id(second)))
        case "promote": try group.change(first, .promote(Group.id(second)))
        case "remove": try group.change(first, .remove(Group.id(second)))
        case "isolate": group.isolated.insert(first)
        case "heal": group.isolated = []
        case "hold": group.members[first - 1].isHeld = true
        case "release":
            group.members[first - 1].isHeld = false
            group.sync(first)
            group.pump(first)
        case "crash": group.crash(first)
        case "start": group.start(first)
        case "compact": group.compact(first)
        default: throw UnknownCommand(name: words[0])
        }
    }

    struct UnknownCommand: Error { let name: String }

    /// `deliver`, `deliver 1 2` (from, to), `deliver to 2`, `deliver from 1`.
    private static func filter(_ words: [String]) -> (RaftMessage) -> Bool {
        guard words.count == 3, let second = UInt64(words[2]) else { return { _ in true } }
        switch words[1] {
        case "to": return { $0.to.low == second }
        case "from": return { $0.from.low == second }
        default:
            let first = UInt64(words[1])
            return { $0.from.low == first && $0.to.low == second }
        }
    }
}

extension RaftError {
    fileprivate var text: String {
        switch self {
        case .notLeader(let leader):
            leader.map { "not the leader, ask \($0.low)" } ?? "not the leader"
        case .overloaded: "overloaded"
        case .transferring(let heir): "transferring to \(heir.low)"
        case .membershipBusy: "membership busy"
        case .membershipPointless: "pointless change"
        case .notAnotherVoter: "not another voter"
        case .commandTooLarge: "command too large"
        }
    }
}
