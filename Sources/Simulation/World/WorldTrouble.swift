import Core

/// What goes wrong in a simulated world, drawn from its seed.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class WorldTrouble: @unchecked Sendable {
    /// How often, and how much; drawn once for a world.
    struct Plan {
        /// Milliseconds between two disasters, at most.
        var pauseMax: UInt64
        var downMax: UInt64
        /// Nodes down at once, by role, at most.
        var coordinatorsDownMax = 1
        var storageDownMax = 1
        var losesPower: Bool
        var cutsLinks: Bool
        var jumpsClocks: Bool
        var everythingAtOnce: Bool

        static func draw(using random: inout SeededRandom) -> Plan {
            Plan(
                pauseMax: .random(in: 1_000...10_000, using: &random),
                downMax: .random(in: 1_000...20_000, using: &random),
                losesPower: .random(using: &random), cutsLinks: .random(using: &random),
                jumpsClocks: .random(using: &random), everythingAtOnce: .random(using: &random))
        }
    }

    private let time: SimulatedTime
    private let network: SimulatedNetwork
    private let nodes: [SimulatedNode]
    private let plan: Plan
    private var isOver = false
    private(set) var failure: String?
    /// What happened, a line each.
    private(set) var diary: [String] = []

    init(_ time: SimulatedTime, _ network: SimulatedNetwork, _ nodes: [SimulatedNode]) {
        self.time = time
        self.network = network
        self.nodes = nodes
        plan = .draw(using: &time.random)
        if Bool.random(using: &time.random) {
            network.weather.lateOneIn = .random(in: 20...500, using: &time.random)
        }
    }

    func begin() { planNext() }

    /// All links whole, all nodes up.
    func end() {
        isOver = true
        network.weather = SimulatedNetwork.Weather()
        network.mend()
        note("all is mended")
        for node in nodes where !node.isUp { start(node) }
    }

    private func note(_ text: String) { diary.append("\(time.now / 1_000_000) ms: \(text)") }

    private func planNext() {
        let pause = UInt64.random(in: 100...plan.pauseMax, using: &time.random)
        time.after(SimulatedTime.milliseconds(pause)) {
            guard !self.isOver, self.failure == nil else { return }
            self.strike()
            self.planNext()
        }
    }

    private func strike() {
        switch Int.random(in: 0..<10, using: &time.random) {
        case 0..<5: crashOne()
        case 5, 6: if plan.cutsLinks { cut() }
        case 7: network.mend()
        case 8: if plan.jumpsClocks { jump() }
        default: if plan.everythingAtOnce { crashAll() }
        }
    }

    private func crashOne() {
        guard let node = nodes.randomElement(using: &time.random), node.isUp else { return }
        let down = nodes.count { $0.role == node.role && !$0.isUp }
        switch node.role {
        case .coordinator: if down >= plan.coordinatorsDownMax { return }
        case .storage: if down >= plan.storageDownMax { return }
        case .gateway: break
        }
        crash(node)
    }

    private func crashAll() { for node in nodes where node.isUp { crash(node) } }

    private func crash(_ node: SimulatedNode) {
        let losesPower = plan.losesPower && node.role == .coordinator
        note("\(node.name) \(losesPower ? "loses power" : "is killed")")
        do {
            try node.crash(losesPower: losesPower)
        } catch {
            failure = "\(node.name): its disk could not be copied: \(error)"
        }
        let pause = UInt64.random(in: 100...plan.downMax, using: &time.random)
        time.after(SimulatedTime.milliseconds(pause)) { if !node.isUp { self.start(node) } }
    }

    private func start(_ node: SimulatedNode) {
        note("\(node.name) starts")
        do {
            try node.start()
        } catch {
            failure = "\(node.name) does not start: \(error)"
        }
    }

    /// A node, a zone, or a random half of all is cut off; sometimes one way only.
    private func cut() {
        let inside: Set<String>
        switch Int.random(in: 0..<3, using: &time.random) {
        case 0: inside = [nodes.randomElement(using: &time.random)?.name ?? ""]
        case 1:
            let zone = nodes.randomElement(using: &time.random)?.zone
            inside = Set(nodes.filter { $0.zone == zone }.map(\.name))
        default: inside = Set(nodes.map(\.name).filter { _ in .random(using: &time.random) })
        }
        let isOneWay = Int.random(in: 0..<4, using: &time.random) == 0
        note("cut off\(isOneWay ? " one way" : ""): \(inside.sorted().joined(separator: " "))")
        for one in nodes where inside.contains(one.name) {
            for other in nodes where !inside.contains(other.name) {
                network.cut(from: one.name, to: other.name)
                if !isOneWay { network.cut(from: other.name, to: one.name) }
            }
        }
    }

    private func jump() {
        guard let clocks = nodes.randomElement(using: &time.random)?.process?.clocks else { return }
        clocks.wallOffset = .random(in: -600_000...600_000, using: &time.random)
        note("a wall clock jumps to \(clocks.wallOffset) ms off")
    }
}
