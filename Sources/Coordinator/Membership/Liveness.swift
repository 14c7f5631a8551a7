import Core

/// How nodes are doing just now, by their heartbeats. Pure; held by the system range's leader, made
/// anew by each new leader.
///
/// ```
///   up ──3 s silent──► suspect ──10 s──► down ──REPAIR_DELAY──► lost (a command, not kept here)
///    ▲                    │                │
///    ╰──── heartbeat ─────┴────────────────╯
/// ```
///
/// A node that says goodbye is *stopped*: gone like one that is down, and everybody knows why.
package struct Liveness: Equatable, Sendable {
    package enum State: Equatable, Sendable { case up, suspect, down, stopped }

    /// What a node says of itself in each heartbeat.
    package struct Report: Equatable, Sendable {
        package var usedBytes: UInt64
        package var freeBytes: UInt64
        package var refusesWrites: Bool
        package var epoch: UInt64
        package var problems: [String]

        package init(
            usedBytes: UInt64 = 0, freeBytes: UInt64 = 0, refusesWrites: Bool = false,
            epoch: UInt64 = 0, problems: [String] = []
        ) {
            self.usedBytes = usedBytes
            self.freeBytes = freeBytes
            self.refusesWrites = refusesWrites
            self.epoch = epoch
            self.problems = problems
        }
    }

    package struct Entry: Equatable, Sendable {
        package fileprivate(set) var state: State
        package fileprivate(set) var report: Report
        /// When the node was last heard; for one never heard by this leader, when it became leader.
        package fileprivate(set) var heardAt: UInt64
        /// False until this leader has heard the node itself.
        package fileprivate(set) var isHeard: Bool
    }

    package static let suspectAfterMilliseconds: UInt64 = 3_000
    package static let downAfterMilliseconds: UInt64 = 10_000

    package private(set) var entries: [NodeID: Entry] = [:]
    /// Grows whenever something changed that others act on: who is up, refuses writes, or has
    /// become full or no longer so.
    package private(set) var version: UInt64 = 1

    package init() {}

    /// A node of the catalogue that has not been heard yet: it gets the benefit of the doubt for as
    /// long as a node that was just heard.
    package mutating func expect(_ node: NodeID, now: UInt64) {
        guard entries[node] == nil else { return }
        entries[node] = Entry(state: .up, report: Report(), heardAt: now, isHeard: false)
        version += 1
    }

    package mutating func heard(_ node: NodeID, _ report: Report, isLeaving: Bool, now: UInt64) {
        let before = entries[node]
        entries[node] = Entry(
            state: isLeaving ? .stopped : .up, report: report, heardAt: now, isHeard: true)
        if differs(before, entries[node]) { version += 1 }
    }

    package mutating func forget(_ node: NodeID) {
        if entries.removeValue(forKey: node) != nil { version += 1 }
    }

    /// Moves silent nodes on.
    package mutating func tick(now: UInt64) {
        for (node, entry) in entries where entry.state != .stopped {
            let silent = now - min(now, entry.heardAt)
            let state: State =
                silent >= Self.downAfterMilliseconds
                ? .down : silent >= Self.suspectAfterMilliseconds ? .suspect : .up
            if state != entry.state {
                entries[node]?.state = state
                version += 1
            }
        }
    }

    /// Nodes silent for `milliseconds` or more.
    package func silent(for milliseconds: UInt64, now: UInt64) -> [NodeID] {
        entries.filter { now - min(now, $0.value.heardAt) >= milliseconds }.map(\.key).sorted()
    }

    /// Whether gateways would choose differently. Free space counts in steps of a sixteenth of a
    /// gibibyte, so that heartbeats do not wake every watch.
    private func differs(_ before: Entry?, _ after: Entry?) -> Bool {
        guard let before, let after else { return true }
        return before.state != after.state || before.isHeard != after.isHeard
            || before.report.refusesWrites != after.report.refusesWrites
            || before.report.freeBytes >> 26 != after.report.freeBytes >> 26
    }
}
