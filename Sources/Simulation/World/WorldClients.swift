import Core
import ObjectStore

/// Clients of a simulated world: they read, write, delete and list a few keys at random until told
/// to stop, each attempt an operation of the history, and each answer compared with what was
/// written.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class WorldClients: @unchecked Sendable {
    static let bucket = "simulated"
    var history = ClientHistory()
    /// What no order of events could explain: other bytes than were ever written.
    var problems: [String] = []
    let time: SimulatedTime
    let clocks: SimulatedClocks
    let gateways: @Sendable () -> [ObjectService]
    let keys: [String]
    let settings: Scenario.ClientSettings
    /// Whether every read must succeed from the start.
    let demandsReads: Bool
    /// Whether every read is meant to succeed now.
    var isLastReading = false
    /// What could not be read though all was well.
    var lastFailure: String?
    var moment: UInt64 = 0
    var written: [String: String] = [:]
    var nextValue = 0
    private(set) var isStopped = false
    private(set) var runningCount = 0

    init(
        _ time: SimulatedTime, _ settings: Scenario.ClientSettings, demandsReads: Bool = false,
        gateways: @escaping @Sendable () -> [ObjectService]
    ) {
        self.time = time
        self.settings = settings
        self.demandsReads = demandsReads
        self.gateways = gateways
        keys = (0..<settings.keys).map { "key-\($0)" }
        clocks = SimulatedClocks(time)
    }

    /// - Returns: Whether it is there.
    func makeBucket() async -> Bool {
        for _ in 0..<20 {
            guard let gateway = gateways().first else { return false }
            do {
                _ = try await gateway.createBucket(Self.bucket, owner: "simulation")
                return true
            } catch ObjectStoreError.bucketAlreadyOwnedByYou {
                return true
            } catch {
                try? await clocks.sleep(for: .milliseconds(500))
            }
        }
        return false
    }

    func start(_ count: Int) {
        for number in 0..<count {
            runningCount += 1
            Task {
                await self.run("client-\(number)")
                self.runningCount -= 1
            }
        }
    }

    func stop() { isStopped = true }

    private func run(_ client: String) async {
        while !isStopped {
            let pause = Int.random(in: 1...settings.pauseMax, using: &time.random)
            try? await clocks.sleep(for: .milliseconds(pause))
            guard let gateway = gateways().randomElement(using: &time.random) else { continue }
            await operation(client, gateway)
        }
    }

    /// One of them, drawn.
    private func operation(_ client: String, _ gateway: ObjectService) async {
        let key = keys.randomElement(using: &time.random) ?? "key"
        switch Int.random(in: 0..<100, using: &time.random) {
        case 0..<35: await put(key, by: client, gateway)
        case 35..<42: await compareAndSet(key, by: client, gateway)
        case 42..<45: await upload(key, by: client, gateway)
        case 45..<50: await put(key, if: .absent, by: client, gateway)
        case 50..<60: await delete(key, by: client, gateway)
        case 60..<70: await list(by: client, gateway)
        default: _ = await read(key, by: client, gateway)
        }
    }

    /// Of every key through every gateway, and a listing: what is to be seen when all is well.
    func readAll() async {
        isLastReading = true
        defer { isLastReading = false }
        for gateway in gateways() {
            for key in keys { _ = await read(key, by: "last", gateway) }
            await list(by: "last", gateway)
        }
    }

    func now() -> UInt64 {
        moment += 1
        return moment
    }
}
