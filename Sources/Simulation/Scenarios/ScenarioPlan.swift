import Core

/// Draws the disasters of one world.
struct ScenarioPlan {
    private let scenario: Scenario
    private let names: [NodeRole: [String]]
    private let pauseMax: UInt64
    private let downMax: UInt64
    /// The one storage node, and the one coordinator, that may lose data in this world.
    ///
    /// More than one could lose what is promised to survive the loss of one.
    private let victims: [NodeRole: String]

    init(_ scenario: Scenario, using random: inout SeededRandom) {
        self.scenario = scenario
        let settings = scenario.settings
        func named(_ role: NodeRole, _ count: Int) -> [String] {
            (1...count).map { "\(role.rawValue)-\($0)" }
        }
        names = [
            .coordinator: named(.coordinator, settings.coordinatorCount),
            .storage: named(.storage, settings.storageCount),
            .gateway: named(.gateway, settings.gatewayCount),
        ]
        pauseMax = .random(in: scenario.pauses, using: &random)
        downMax = .random(in: scenario.downs, using: &random)
        victims = [
            .storage: names[.storage]?.randomElement(using: &random) ?? "",
            .coordinator: names[.coordinator]?.randomElement(using: &random) ?? "",
        ]
    }

    mutating func draw(
        until end: UInt64, using random: inout SeededRandom
    ) -> [Disaster] {
        var disasters: [Disaster] = []
        let weights = scenario.disasters.map(\.weight).reduce(0, +)
        guard weights > 0 else { return [] }
        var at: UInt64 = 0
        while true {
            at += .random(in: 100...max(101, pauseMax), using: &random)
            guard at < end else { return disasters }
            var place = Int.random(in: 0..<weights, using: &random)
            for (sort, weight) in scenario.disasters {
                if place < weight {
                    let kind = kind(of: sort, using: &random)
                    disasters.append(Disaster(number: disasters.count, at: at, kind: kind))
                    break
                }
                place -= weight
            }
        }
    }

    private func any(
        _ roles: [NodeRole] = [.coordinator, .storage, .gateway], using random: inout SeededRandom
    ) -> String {
        roles.flatMap { names[$0] ?? [] }.randomElement(using: &random) ?? ""
    }

    private func kind(of sort: Disaster.Sort, using random: inout SeededRandom) -> Disaster.Kind {
        func while_(_ random: inout SeededRandom) -> UInt64 {
            .random(in: 100...max(101, downMax), using: &random)
        }
        switch sort {
        case .kill: return .kill(any(using: &random), down: while_(&random))
        case .powerCut:
            return .powerCut(any([.coordinator, .storage], using: &random), down: while_(&random))
        case .everything:
            let count = names.values.map(\.count).reduce(0, +)
            return .everything(
                losesPower: .random(using: &random),
                downs: (0..<count).map { _ in while_(&random) })
        case .cut: return cut(using: &random)
        case .mend: return .mend
        case .clockJump:
            return .clockJump(
                any(using: &random), milliseconds: .random(in: -240_000...240_000, using: &random))
        case .slowDisk:
            return .slowDisk(
                any([.coordinator, .storage], using: &random),
                milliseconds: .random(in: 5...500, using: &random), lasts: while_(&random))
        case .slowNode:
            return .slowNode(
                any(using: &random), milliseconds: .random(in: 20...3_000, using: &random),
                lasts: while_(&random))
        case .slowCoordinator:
            return .slowNode(
                any([.coordinator], using: &random),
                milliseconds: .random(in: 20...3_000, using: &random), lasts: while_(&random))
        case .fullDisk: return .fullDisk(any([.storage], using: &random), lasts: while_(&random))
        case .failingDisk:
            return .failingDisk(any([.storage], using: &random), down: while_(&random))
        case .fullLog: return .fullDisk(any([.coordinator], using: &random), lasts: while_(&random))
        case .failingLog:
            return .failingDisk(any([.coordinator], using: &random), down: while_(&random))
        case .cutLink:
            return .cutLink(
                any([.coordinator], using: &random), any([.coordinator], using: &random))
        case .mute: return .mute(any([.gateway], using: &random), lasts: while_(&random))
        case .killStorage: return .kill(any([.storage], using: &random), down: while_(&random))
        case .isolate: return .cut([any([.storage], using: &random)], isOneWay: false)
        case .lose: return .lose(victims[.storage] ?? "")
        case .rot:
            return .rot(
                victims[.storage] ?? "", pages: .random(in: 5...60, using: &random),
                seed: random.next())
        case .wipe: return .wipe(victims[.storage] ?? "", down: while_(&random))
        case .wipeCoordinator: return .wipe(victims[.coordinator] ?? "", down: while_(&random))
        case .replaceNext: return .replaceNext(down: while_(&random))
        case .drain: return .drain(any([.storage], using: &random), lasts: while_(&random))
        }
    }

    /// A node, a zone, or a random half of all is cut off; sometimes one way only.
    private func cut(using random: inout SeededRandom) -> Disaster.Kind {
        let all = [NodeRole.coordinator, .storage, .gateway].flatMap { names[$0] ?? [] }
        let inside: [String]
        switch Int.random(in: 0..<3, using: &random) {
        case 0: inside = [any(using: &random)]
        case 1:
            let zone = Int.random(in: 0..<3, using: &random)
            inside = all.filter { ClusterWorld.zone(of: $0) == zone }
        default: inside = all.filter { _ in .random(using: &random) }
        }
        return .cut(inside, isOneWay: Int.random(in: 0..<4, using: &random) == 0)
    }
}
