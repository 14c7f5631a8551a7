import Core

/// Lets a plan of disasters happen to a world.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class WorldTrouble: @unchecked Sendable {
    private let time: SimulatedTime
    private let network: SimulatedNetwork
    private let nodes: [SimulatedNode]
    private let scenario: Scenario
    private let administrator: WorldOperator
    private let inspect: (_ isDeep: Bool) -> WorldInspection
    private var isOver = false
    private var nextReplaced = 0
    private(set) var failure: String?
    /// What happened, a line each.
    private(set) var diary: [String] = []
    private(set) var strikeCount = 0

    init(
        _ time: SimulatedTime, _ network: SimulatedNetwork, _ nodes: [SimulatedNode],
        _ scenario: Scenario, _ watch: ClusterWatch,
        inspect: @escaping (_ isDeep: Bool) -> WorldInspection
    ) {
        self.time = time
        self.network = network
        self.nodes = nodes
        self.scenario = scenario
        self.inspect = inspect
        administrator = WorldOperator(time, nodes, watch) { inspect(false) }
        if let late = scenario.lateOneIn, Bool.random(using: &time.random) {
            network.weather.lateOneIn = .random(in: late, using: &time.random)
        }
    }

    func begin(_ plan: [Disaster]) {
        for disaster in plan {
            time.after(SimulatedTime.milliseconds(disaster.at)) {
                guard !self.isOver, self.failure == nil else { return }
                self.strike(disaster)
            }
        }
    }

    /// All links whole, all disks well, all nodes up and wanted.
    func end() {
        isOver = true
        network.weather = SimulatedNetwork.Weather()
        network.mend()
        time.slowDisks = [:]
        note("all is mended")
        for node in nodes {
            node.healDisk()
            node.process?.clocks.wallOffset = 0
            if node.process?.storage?.problem != nil { crash(node, losesPower: false) }
            if !node.isUp, !node.watch.lost.contains(node.name) { start(node) }
        }
        Task { await self.administrator.takeAllBack() }
    }

    private func note(_ text: String) { diary.append("\(time.now / 1_000_000) ms: \(text)") }

    private func note(_ disaster: Disaster) {
        strikeCount += 1
        note("[\(disaster.number)] \(disaster)")
    }

    private func node(_ name: String) -> SimulatedNode? { nodes.first { $0.name == name } }

    /// The node where it is up and may go down.
    private func spare(_ name: String) -> SimulatedNode? {
        guard let node = node(name), node.isUp else { return nil }
        let down = nodes.count { $0.role == node.role && !$0.isUp }
        switch node.role {
        case .coordinator: return down < scenario.coordinatorsDownMax ? node : nil
        case .storage: return down < scenario.storageDownMax ? node : nil
        case .gateway: return node
        }
    }

    private func strike(_ disaster: Disaster) {
        switch disaster.kind {
        case .kill(let name, let down):
            guard let node = spare(name) else { return }
            note(disaster)
            crash(node, losesPower: false)
            start(node, after: down)
        case .powerCut(let name, let down):
            guard let node = spare(name) else { return }
            note(disaster)
            crash(node, losesPower: true)
            start(node, after: down)
        case .everything(let losesPower, let downs):
            note(disaster)
            for (node, down) in zip(nodes, downs) where node.isUp {
                crash(node, losesPower: losesPower && node.role != .gateway)
                start(node, after: down)
            }
        case .wipe(let name, let down):
            guard let node = spare(name) else { return }
            note(disaster)
            node.wipe()
            start(node, after: down)
        case .lose(let name):
            guard let node = spare(name) else { return }
            note(disaster)
            node.watch.lost.insert(name)
            node.wipe()
        case .replaceNext(let down): replaceNext(disaster, down: down)
        default: trouble(disaster)
        }
    }

    /// What leaves all processes running.
    private func trouble(_ disaster: Disaster) {
        switch disaster.kind {
        case .cut(let inside, let isOneWay):
            note(disaster)
            cut(Set(inside), isOneWay: isOneWay)
        case .cutLink(let one, let other):
            note(disaster)
            network.cut(from: one, to: other)
            network.cut(from: other, to: one)
        case .mend:
            note(disaster)
            network.mend()
        case .mute(let name, let lasts):
            note(disaster)
            let coordinators = nodes.filter { $0.role == .coordinator }.map(\.name)
            for coordinator in coordinators { network.cut(from: coordinator, to: name) }
            later(lasts) {
                for coordinator in coordinators { self.network.mend(from: coordinator, to: name) }
            }
        case .clockJump(let name, let milliseconds):
            guard let process = node(name)?.process else { return }
            note(disaster)
            process.clocks.wallOffset = milliseconds
        case .slowDisk(let name, let milliseconds, let lasts):
            note(disaster)
            time.slowDisks[name] = SimulatedTime.milliseconds(milliseconds)
            later(lasts) { self.time.slowDisks[name] = nil }
        case .slowNode(let name, let milliseconds, let lasts):
            note(disaster)
            network.weather.slow[name] = SimulatedTime.milliseconds(milliseconds)
            later(lasts) { self.network.weather.slow[name] = nil }
        case .drain(let name, let lasts):
            guard let node = node(name), node.isUp else { return }
            note(disaster)
            let copies = scenario.settings.replicationFactor
            Task { await self.administrator.drain(node, copies: copies, atMost: lasts) }
            later(lasts) { Task { await self.administrator.takeAllBack() } }
        default: diskTrouble(disaster)
        }
    }

    private func diskTrouble(_ disaster: Disaster) {
        switch disaster.kind {
        case .fullDisk(let name, let lasts):
            guard let node = node(name), node.isUp else { return }
            note(disaster)
            node.fillDisk()
            later(lasts) { node.healDisk() }
        case .failingDisk(let name, let down):
            guard let node = spare(name) else { return }
            note(disaster)
            node.failDisk()
            later(down) {
                node.healDisk()
                // Whoever lost a sync does not go on: an operator restarts it.
                guard node.isUp, node.process?.storage?.problem != nil else { return }
                self.crash(node, losesPower: false)
                self.start(node)
            }
        case .rot(let name, let pages, let seed):
            guard let node = node(name) else { return }
            note(disaster)
            var random = SeededRandom(seed: seed)
            node.watch.rotten.insert(name)
            node.chunkDisk.rot(pages: pages, using: &random)
        default: failure = "nobody knows how to let it happen: \(disaster)"
        }
    }

    private func later(_ milliseconds: UInt64, _ body: @escaping @Sendable () -> Void) {
        time.after(SimulatedTime.milliseconds(milliseconds)) { if !self.isOver { body() } }
    }

    private func replaceNext(_ disaster: Disaster, down: UInt64) {
        let storage = nodes.filter { $0.role == .storage }
        let node = storage[nextReplaced % storage.count]
        guard storage.allSatisfy(\.isUp), inspect(true).isProtected else { return }
        note(disaster)
        note("\(node.name) is the next")
        nextReplaced += 1
        node.wipe()
        start(node, after: down)
    }

    private func crash(_ node: SimulatedNode, losesPower: Bool) {
        do {
            try node.crash(losesPower: losesPower)
        } catch {
            failure = "\(node.name): its disk could not be copied: \(error)"
        }
    }

    private func start(_ node: SimulatedNode, after milliseconds: UInt64) {
        time.after(SimulatedTime.milliseconds(milliseconds)) { if !node.isUp { self.start(node) } }
    }

    private func start(_ node: SimulatedNode) {
        note("\(node.name) starts")
        do {
            try node.start()
        } catch {
            failure = "\(node.name) does not start: \(error)"
        }
    }

    private func cut(_ inside: Set<String>, isOneWay: Bool) {
        for one in nodes where inside.contains(one.name) {
            for other in nodes where !inside.contains(other.name) {
                network.cut(from: one.name, to: other.name)
                if !isOneWay { network.cut(from: other.name, to: one.name) }
            }
        }
    }
}
