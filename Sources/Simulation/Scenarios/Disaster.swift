/// One thing that goes wrong in a world, planned before the world begins, so that a failing plan
/// can be played again with some of its disasters left out.
package struct Disaster: Sendable, CustomStringConvertible {
    /// What a scenario names and weighs.
    package enum Sort: Sendable {
        case kill, powerCut, everything, cut, mend, clockJump, slowDisk, slowNode, fullDisk
        case failingDisk, rot, wipe, wipeCoordinator, replaceNext, drain
        case fullLog, failingLog, killStorage, isolate, cutLink, slowCoordinator, mute, lose
    }

    package enum Kind: Sendable {
        /// The process ends; what it wrote is on its disk, synced or not.
        case kill(String, down: UInt64)
        /// The machine ends: what was not synced is lost, torn or there.
        case powerCut(String, down: UInt64)
        case everything(losesPower: Bool, downs: [UInt64])
        case cut([String], isOneWay: Bool)
        /// Two nodes lose sight of each other.
        case cutLink(String, String)
        case mend
        /// What coordinators send to a gateway does not arrive, though they hear it.
        case mute(String, lasts: UInt64)
        case clockJump(String, milliseconds: Int64)
        /// Each job of the disk takes up to so many milliseconds longer.
        case slowDisk(String, milliseconds: UInt64, lasts: UInt64)
        /// All that leaves the node is late by up to so many milliseconds.
        case slowNode(String, milliseconds: UInt64, lasts: UInt64)
        case fullDisk(String, lasts: UInt64)
        /// Syncs fail, the process is restarted after a while: the disk was replugged.
        case failingDisk(String, down: UInt64)
        /// Bits of so many pages of chunks turn.
        case rot(String, pages: Int, seed: UInt64)
        /// The machine is replaced by one with an empty disk.
        case wipe(String, down: UInt64)
        /// The next storage node in turn is replaced, if every chunk has all its copies.
        case replaceNext(down: UInt64)
        /// The machine is gone for good, and nobody replaces it.
        case lose(String)
        /// An operator drains the node, and takes it back later.
        case drain(String, lasts: UInt64)
    }

    /// Its place in the plan.
    package var number: Int
    /// Milliseconds since trouble began.
    package var at: UInt64
    package var kind: Kind

    package var description: String {
        switch kind {
        case .kill(let node, let down): "\(node) is killed for \(down) ms"
        case .powerCut(let node, let down): "\(node) loses power for \(down) ms"
        case .everything(true, _): "all nodes lose power"
        case .everything(false, _): "all nodes are killed"
        case .cut(let nodes, let isOneWay):
            "cut off\(isOneWay ? " one way" : ""): \(nodes.joined(separator: " "))"
        case .cutLink(let one, let other): "\(one) and \(other) are cut off from each other"
        case .mend: "all links are whole"
        case .mute(let node, let lasts): "\(node) hears no coordinator for \(lasts) ms"
        case .clockJump(let node, let milliseconds):
            "\(node)'s wall clock jumps to \(milliseconds) ms off"
        case .slowDisk(let node, let milliseconds, let lasts):
            "\(node)'s disk is slow by \(milliseconds) ms for \(lasts) ms"
        case .slowNode(let node, let milliseconds, let lasts):
            "\(node) is late by \(milliseconds) ms for \(lasts) ms"
        case .fullDisk(let node, let lasts): "\(node)'s disk is full for \(lasts) ms"
        case .failingDisk(let node, let down): "\(node)'s disk fails, back after \(down) ms"
        case .rot(let node, let pages, _): "\(pages) pages of \(node) rot"
        case .wipe(let node, let down): "\(node) is replaced after \(down) ms, its disk is lost"
        case .replaceNext(let down): "the next storage node is replaced after \(down) ms"
        case .lose(let node): "\(node) is gone for good"
        case .drain(let node, let lasts): "\(node) is drained for \(lasts) ms"
        }
    }
}
