import Core
import Simulation

/// Small histories of a true store, some answers changed: about half can be explained. Every third
/// is another kind, of little but doubts and the answers that need them.
struct RandomHistory {
    private var random: SeededRandom
    private var state: [String: String] = [:]
    private(set) var operations: [ClientOperation] = []
    /// Values that were named so far, and so can be named again.
    private var known: [String] = []
    private let keys: [String]
    private let doubtPercent: Int

    static func make(seed: UInt64) -> [ClientOperation] {
        var history = RandomHistory(seed: seed)
        let countMax = history.keys.count == 1 ? 8 : 6
        for number in 0..<2 + Int(seed / 5) % (countMax - 1) {
            if seed % 3 == 1 { history.addDoubtful(number) } else { history.addOne(number) }
        }
        return history.operations
    }

    private init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        keys = seed % 3 == 0 ? ["j", "k"] : ["k"]
        doubtPercent = seed % 5 == 0 ? 70 : 25
    }

    private mutating func isDrawn(percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func addOne(_ number: Int) {
        let key = keys.randomElement(using: &random) ?? "k"
        known.append("v\(number)")
        let kind = Int.random(in: 0..<8, using: &random)
        switch kind {
        case 0, 1, 2: add(.read(key: key, value: changed(state[key])), number)
        case 3: addWrite(.delete(key: key), on: key, number)
        case 4: add(.list(page()), number)
        default:
            var condition = ClientOperation.Condition.always
            if kind == 6 { condition = .absent }
            if kind == 7 {
                let named = isDrawn(percent: 60) ? state[key] : nil
                condition = .match(named ?? known.randomElement(using: &random) ?? "v0")
            }
            addWrite(.put(key: key, value: "v\(number)", if: condition), on: key, number)
        }
    }

    /// A step that finds nothing, or some other object, or a doubt that makes it so.
    private mutating func addDoubtful(_ number: Int) {
        let value = "v\(number)"
        let other = "v\(Int.random(in: 0..<7, using: &random))"
        let conditions: [ClientOperation.Condition] = [.always, .absent, .match(other)]
        let condition = conditions.randomElement(using: &random) ?? .always
        switch Int.random(in: 0..<10, using: &random) {
        case 0: add(.delete(key: "k"), number)
        case 1: add(.read(key: "k", value: nil), number)
        case 2: add(.put(key: "k", value: value), number)
        case 3: add(.put(key: "k", value: value, if: .absent), number, .refused)
        case 4, 5: add(.put(key: "k", value: value, if: .match(other)), number, .refused)
        case 6: add(.delete(key: "k"), number, .unknown)
        default: add(.put(key: "k", value: value, if: condition), number, .unknown)
        }
    }

    /// What a read saw: the truth, mostly.
    private mutating func changed(_ value: String?) -> String? {
        guard isDrawn(percent: 12) else { return value }
        return isDrawn(percent: 20) ? nil : known.randomElement(using: &random)
    }

    private mutating func page() -> ClientOperation.Page {
        var seen: [String: String] = [:]
        for key in keys { seen[key] = changed(state[key]) }
        let after = isDrawn(percent: 20) ? "j" : ""
        let upto = isDrawn(percent: 20) ? "j" : nil
        return ClientOperation.Page(after: after, upto: upto, seen: seen)
    }

    private mutating func addWrite(_ kind: ClientOperation.Kind, on key: String, _ number: Int) {
        if isDrawn(percent: doubtPercent) {
            add(kind, number, isDrawn(percent: 15) ? .failed : .unknown)
            if isDrawn(percent: 30) { state[key] = known.randomElement(using: &random) }
            return
        }
        guard case .put(_, let value, let condition) = kind else {
            state[key] = nil
            add(kind, number)
            return
        }
        if case .match = condition, state[key] == nil {
            add(.read(key: key, value: nil), number)
            return
        }
        let holds = BruteForce.holds(condition, in: state[key])
        if holds { state[key] = value }
        let isChanged = condition != .always && isDrawn(percent: 10)
        add(kind, number, holds != isChanged ? .ok : .refused)
    }

    /// It takes effect somewhere near its number.
    private mutating func add(
        _ kind: ClientOperation.Kind, _ number: Int, _ answer: ClientOperation.Answer = .ok
    ) {
        let middle = 30 + UInt64(number) * 10
        let began = middle - .random(in: 0..<25, using: &random)
        let ended = middle + .random(in: 0..<25, using: &random)
        operations.append(
            ClientOperation(
                client: "c\(number)", kind, began: began, ended: ended, answer: answer))
    }
}

/// Linearizability by definition: any order that time allows, any choice of what in doubt took
/// effect. Exponential.
struct BruteForce {
    private enum Effect {
        case read(String?)
        case write(String?, ClientOperation.Condition)
        case refused(ClientOperation.Condition)
    }

    private struct Atom {
        let key: String
        let effect: Effect
        let began: UInt64
        let ended: UInt64
        let isDoubtful: Bool
    }

    private let atoms: [Atom]

    static func explains(_ operations: [ClientOperation]) -> Bool {
        let force = BruteForce(operations)
        return force.explains(rest: Array(force.atoms.indices), from: [:])
    }

    static func holds(_ condition: ClientOperation.Condition, in state: String?) -> Bool {
        switch condition {
        case .always: true
        case .absent: state == nil
        case .match(let value): state == value
        }
    }

    private init(_ operations: [ClientOperation]) {
        atoms = operations.flatMap { operation -> [Atom] in
            func atom(_ key: String, _ effect: Effect) -> Atom {
                Atom(
                    key: key, effect: effect, began: operation.began,
                    ended: operation.ended ?? .max, isDoubtful: operation.answer == .unknown)
            }
            switch (operation.kind, operation.answer) {
            case (_, .failed), (.read, .unknown), (.list, .unknown): return []
            case (.read(let key, let value), _): return [atom(key, .read(value))]
            case (.delete(let key), _): return [atom(key, .write(nil, .always))]
            case (.put(let key, _, let condition), .refused):
                return [atom(key, .refused(condition))]
            case (.put(let key, let value, let condition), _):
                return [atom(key, .write(value, condition))]
            case (.list(let page), _):
                return ["j", "k"].filter(page.covers).map { atom($0, .read(page.seen[$0])) }
            }
        }
    }

    private func explains(rest: [Int], from state: [String: String]) -> Bool {
        guard let firstEnd = rest.filter({ !atoms[$0].isDoubtful }).map({ atoms[$0].ended }).min()
        else { return true }
        for next in rest where atoms[next].began <= firstEnd {
            var state = state
            let isPossible = perform(atoms[next], on: &state[atoms[next].key])
            if isPossible, explains(rest: rest.filter { $0 != next }, from: state) { return true }
        }
        return false
    }

    private func perform(_ atom: Atom, on state: inout String?) -> Bool {
        switch atom.effect {
        case .read(let value): return state == value
        case .refused(.match) where state == nil: return false
        case .refused(let condition): return !Self.holds(condition, in: state)
        case .write(let value, let condition):
            guard Self.holds(condition, in: state) else { return false }
            state = value
            return true
        }
    }
}
