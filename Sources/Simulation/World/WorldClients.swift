import Core
import Foundation
import NIOCore
import ObjectStore

/// Clients of a simulated world: they read, write, delete and list a few keys at random until told
/// to stop, each attempt an operation of the history, and each answer compared with what was
/// written.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class WorldClients: @unchecked Sendable {
    static let bucket = "simulated"
    private(set) var history = ClientHistory()
    /// What no order of events could explain: other bytes than were ever written.
    private(set) var problems: [String] = []
    private let time: SimulatedTime
    private let clocks: SimulatedClocks
    private let gateways: @Sendable () -> [ObjectService]
    private let keys: [String]
    private let settings: Scenario.ClientSettings
    /// Whether every read is meant to succeed.
    private var isLastReading = false
    /// What could not be read though all was well.
    private(set) var lastFailure: String?
    private var moment: UInt64 = 0
    private var written: [String: String] = [:]
    private var nextValue = 0
    private(set) var isStopped = false
    private(set) var runningCount = 0

    init(
        _ time: SimulatedTime, _ settings: Scenario.ClientSettings,
        gateways: @escaping @Sendable () -> [ObjectService]
    ) {
        self.time = time
        self.settings = settings
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
        case 35..<45: await compareAndSet(key, by: client, gateway)
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

    private func now() -> UInt64 {
        moment += 1
        return moment
    }

    // MARK: Operations

    private func address(_ key: String) throws(ObjectStoreError) -> ObjectAddress {
        ObjectAddress(bucket: Self.bucket, key: try ObjectKey(key.utf8))
    }

    /// Bytes that no other write has; they begin with the value's name.
    private func newValue() -> (name: String, body: [UInt8]) {
        nextValue += 1
        let name = "value-\(nextValue)"
        let size = settings.sizes.randomElement(using: &time.random) ?? 40
        let body = Self.body(name, size)
        var digest = Digest(.md5)
        digest.update(body)
        written[Hex.encode(digest.finish())] = name
        return (name, body)
    }

    private static func body(_ name: String, _ size: Int) -> [UInt8] {
        var body = Array("\(name) \(size) ".utf8)
        let seed = name.utf8.reduce(UInt64(size)) { $0 &* 31 &+ UInt64($1) }
        var random = SeededRandom(seed: seed)
        while body.count < size {
            withUnsafeBytes(of: random.next()) { body.append(contentsOf: $0) }
        }
        body.removeLast(max(0, body.count - max(size, name.utf8.count + 8)))
        return body
    }

    private func put(
        _ key: String, if condition: ClientOperation.Condition = .always, match: String? = nil,
        by client: String, _ gateway: ObjectService
    ) async {
        let (name, body) = newValue()
        let ticket = history.begin(
            .put(key: key, value: name, if: condition), by: client, at: now())
        do {
            var request = PutRequest(try address(key), length: body.count)
            request.conditions = WriteConditions(
                ifMatch: match, ifNoneMatchAny: condition == .absent)
            _ = try await gateway.put(request, body: BufferSource(ByteBuffer(bytes: body)))
            history.end(ticket, .ok, at: now())
        } catch ObjectStoreError.preconditionFailed {
            history.end(ticket, .refused, at: now())
        } catch ObjectStoreError.noSuchKey {
            history.end(ticket, seeing: .read(key: key, value: nil), at: now())
        } catch {
            history.end(ticket, .unknown, at: now())
        }
    }

    private func compareAndSet(_ key: String, by client: String, _ gateway: ObjectService) async {
        guard let (name, etag) = await read(key, by: client, gateway) else { return }
        await put(key, if: .match(name), match: etag, by: client, gateway)
    }

    private func delete(_ key: String, by client: String, _ gateway: ObjectService) async {
        let ticket = history.begin(.delete(key: key), by: client, at: now())
        do {
            try await gateway.delete(try address(key))
            history.end(ticket, .ok, at: now())
        } catch {
            history.end(ticket, .unknown, at: now())
        }
    }

    /// - Returns: What was there.
    private func read(
        _ key: String, by client: String, _ gateway: ObjectService
    ) async -> (name: String, etag: String)? {
        let ticket = history.begin(.read(key: key, value: nil), by: client, at: now())
        do {
            let found = try await gateway.get(GetRequest(try address(key)))
            var bytes: [UInt8] = []
            for try await piece in found.body { bytes.append(contentsOf: piece.readableBytesView) }
            let name = written[found.info.etag] ?? "unknown \(found.info.etag)"
            if bytes != Self.body(name, Self.size(bytes)) {
                problems.append("\(key): the bytes of \(name) are others than were written")
            }
            history.end(ticket, seeing: .read(key: key, value: name), at: now())
            return (name, found.info.etag)
        } catch ObjectStoreError.noSuchKey {
            history.end(ticket, seeing: .read(key: key, value: nil), at: now())
        } catch ObjectStoreError.damaged(let text) {
            problems.append("\(key): damaged: \(text)")
            history.end(ticket, .failed, at: now())
        } catch {
            if isLastReading { lastFailure = "\(key) can't be read: \(error)" }
            history.end(ticket, .failed, at: now())
        }
        return nil
    }

    /// The size that a body says of itself.
    private static func size(_ body: [UInt8]) -> Int {
        let words = body.prefix(40).split(separator: UInt8(ascii: " "))
        guard words.count > 1 else { return 0 }
        return Int(String(decoding: words[1], as: UTF8.self)) ?? 0
    }

    private func list(by client: String, _ gateway: ObjectService) async {
        let ticket = history.begin(.list(ClientOperation.Page()), by: client, at: now())
        do {
            let page = try await gateway.list(ListRequest(bucket: Self.bucket))
            var seen: [String: String] = [:]
            for object in page.objects {
                seen["\(object.key)"] = written[object.etag] ?? "unknown \(object.etag)"
            }
            history.end(ticket, seeing: .list(ClientOperation.Page(seen: seen)), at: now())
        } catch {
            history.end(ticket, .failed, at: now())
        }
    }
}
