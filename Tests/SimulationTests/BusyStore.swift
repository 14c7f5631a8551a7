import Core
import Simulation

/// A true store under load, whose answers are lost at times. Lost writes happen at once, late or
/// never.
struct BusyStore {
    private struct Request {
        let client: Int
        let began: UInt64
        let ended: UInt64
        /// When it takes effect, if it does.
        var effect: UInt64
        let number: Int
    }

    private var random: SeededRandom
    private var state: [String: String] = [:]
    private var operations: [ClientOperation] = []

    /// - Parameter doubtPercent: How many writes get no answer.
    static func operations(
        count: Int, keyCount: Int, clientCount: Int, doubtPercent: Int = 5, seed: UInt64
    ) -> [ClientOperation] {
        var store = BusyStore(random: SeededRandom(seed: seed))
        // Late effects come in between, as events of their own.
        var late: [(time: UInt64, kind: ClientOperation.Kind)] = []
        for request in store.requests(count: count, clientCount: clientCount) {
            for (_, kind) in late.filter({ $0.time <= request.effect }) { _ = store.perform(kind) }
            late.removeAll { $0.time <= request.effect }
            let kind = store.kind(request, keyCount: keyCount)
            let isLost = Int.random(in: 0..<100, using: &store.random) < doubtPercent
            guard isLost else {
                store.note(request, kind)
                continue
            }
            let delays: [UInt64?] = [0, 100, 5_000, nil]
            if let delay = delays.randomElement(using: &store.random) ?? nil {
                late.append((request.effect + delay, kind))
            }
            store.operations.append(
                ClientOperation(
                    client: "c\(request.client)", kind, began: request.began,
                    ended: request.ended, answer: .unknown))
        }
        return store.operations
    }

    /// The read as if it had seen what was there first, if that is something else.
    static func stale(
        _ read: ClientOperation, in operations: [ClientOperation]
    ) -> ClientOperation? {
        guard case .read(let key, let value) = read.kind else { return nil }
        for case .put(key, let old, .always) in operations.filter({ $0.answer == .ok }).map(\.kind)
        {
            if old == value { return nil }
            return ClientOperation(
                client: read.client, .read(key: key, value: old), began: read.began,
                ended: read.ended)
        }
        return nil
    }

    private mutating func requests(count: Int, clientCount: Int) -> [Request] {
        var free = [UInt64](repeating: 0, count: clientCount)
        var requests: [Request] = []
        for number in 0..<count {
            let client = free.indices.min { free[$0] < free[$1] } ?? 0
            let began = free[client]
            let ended = began + .random(in: 1..<40, using: &random)
            free[client] = ended + .random(in: 0..<5, using: &random)
            let effect = UInt64.random(in: began...ended, using: &random)
            requests.append(
                Request(
                    client: client, began: began, ended: ended, effect: effect, number: number))
        }
        return requests.sorted { ($0.effect, $0.number) < ($1.effect, $1.number) }
    }

    private mutating func kind(_ request: Request, keyCount: Int) -> ClientOperation.Kind {
        let key = "k\(Int.random(in: 0..<keyCount, using: &random))"
        let value = "v\(request.number)"
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1: return .put(key: key, value: value)
        case 2, 3: return .read(key: key, value: state[key])
        case 4: return .delete(key: key)
        case 5: return .put(key: key, value: value, if: .absent)
        case 6:
            guard let old = state[key] else { return .read(key: key, value: nil) }
            return .put(key: key, value: value, if: .match(old))
        default: return .list(.init(seen: state))
        }
    }

    private mutating func note(_ request: Request, _ kind: ClientOperation.Kind) {
        let answer = perform(kind) ? ClientOperation.Answer.ok : .refused
        operations.append(
            ClientOperation(
                client: "c\(request.client)", kind, began: request.began, ended: request.ended,
                answer: answer))
    }

    /// - Returns: `false` if the condition did not hold.
    private mutating func perform(_ kind: ClientOperation.Kind) -> Bool {
        switch kind {
        case .read, .list: break
        case .delete(let key): state[key] = nil
        case .put(let key, let value, let condition):
            guard BruteForce.holds(condition, in: state[key]) else { return false }
            state[key] = value
        }
        return true
    }
}
