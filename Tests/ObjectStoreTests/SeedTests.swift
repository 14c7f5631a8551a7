import Core
import Foundation
import Messages
import NIOCore
import Testing

@testable import ObjectStore
@testable import ObjectStoreModel

/// The service against a dictionary, with one node at a time misbehaving and the catalogue
/// sometimes silent. What was acknowledged is there, byte for byte; what failed did not happen.
@Suite(.serialized) struct SeedTests {
    @Test(arguments: 0..<25 as Range<UInt64>)
    func `agrees with a dictionary while nodes fail`(seed: UInt64) async throws {
        var play = Play(seed: seed)
        try await play.run()
    }

    private struct Play {
        let seed: UInt64
        let world: World
        var random: SeededRandom
        var model: [String: [UInt8]] = [:]
        var done = 0
        var failed = 0

        init(seed: UInt64) {
            self.seed = seed
            world = World(nodeCount: 5, seed: seed)
            random = SeededRandom(seed: seed)
        }

        mutating func run() async throws {
            try await world.makeBucket()
            let ticker = Task { [world] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(1))
                    world.clocks.advance(by: 50)
                    world.service.tick()
                }
            }
            defer { ticker.cancel() }
            for step in 0..<30 {
                if step % 5 == 0 { changeFaults() }
                try await act()
            }
            heal()
            for (key, bytes) in model {
                let got = try await world.get(key)
                #expect(got == bytes, "seed \(seed), key \(key)")
            }
            try await checkList()
            #expect(done > failed, "seed \(seed)")
            #expect(world.service.memoryBytesUsed == 0, "seed \(seed)")
            #expect(world.service.chunkWritesInFlight == 0, "seed \(seed)")
        }

        /// Repairs what is missing, then lets one node go wrong.
        private mutating func changeFaults() {
            heal()
            let faults: [ModelChunks.Fault] = [
                .none, .unreachable, .silent, .full, .stale, .corrupt, .detectsCorruption,
                .forgetful, .dies(afterBytes: Int.random(in: 0...300_000, using: &random)),
            ]
            guard let fault = faults.randomElement(using: &random),
                let node = world.nodes.randomElement(using: &random)
            else { return }
            world.chunks.set(fault, on: node)
        }

        private func heal() {
            for node in world.nodes { world.chunks.set(.none, on: node) }
            let snapshot = world.cluster.snapshot
            for chunk in world.catalogue.named {
                let nodes = snapshot.partitions[Int(chunk.partition.rawValue)].nodes
                world.chunks.repair(chunk, on: nodes)
            }
        }

        private mutating func bytes() -> [UInt8] {
            let sizes = [0, 1, 500, 8176, 8177, 30_000, 65_536, 200_000, 1 << 20, 3_000_000]
            return pattern(
                sizes.randomElement(using: &random) ?? 0, seed: random.next())
        }

        private mutating func act() async throws {
            let key = "key-\(Int.random(in: 0..<6, using: &random))"
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3: try await put(key)
            case 3..<6: try await check(key)
            case 6:
                try await world.service.delete(world.address(key))
                model[key] = nil
            case 7: try await copy(key)
            case 8: try await multipart(key)
            default: try await checkList()
            }
        }

        private mutating func put(_ key: String) async throws {
            let bytes = bytes()
            if Int.random(in: 0..<6, using: &random) == 0 {
                world.catalogue.failNext(
                    Bool.random(using: &random)
                        ? .unavailable : .uncertain(applies: Bool.random(using: &random)))
            }
            let source = PieceSource(
                bytes, pieceBytes: Int.random(in: 1000...100_000, using: &random))
            let address = try world.address(key)
            try await settle(key, bytes) { world in
                _ = try await world.service.put(
                    PutRequest(address, length: bytes.count), body: source)
            }
        }

        /// Runs a write; afterwards the model holds what is there.
        private mutating func settle(
            _ key: String, _ bytes: [UInt8], _ write: (World) async throws -> Void
        ) async throws {
            do {
                try await write(world)
                model[key] = bytes
                done += 1
            } catch ObjectStoreError.slowDown {
                failed += 1
            } catch ObjectStoreError.uncertain {
                // Either the old or the new, and nothing else.
                let got = try? await world.get(key)
                if got == bytes { model[key] = bytes }
            }
            world.catalogue.failNext(.none)
            try await check(key)
        }

        private mutating func check(_ key: String) async throws {
            guard let bytes = model[key] else {
                await #expect(throws: ObjectStoreError.noSuchKey, "seed \(seed)") {
                    try await world.get(key)
                }
                return
            }
            let head = try await world.service.head(HeadRequest(try world.address(key)))
            #expect(head.info.size == bytes.count, "seed \(seed)")
            if bytes.count > 1, Bool.random(using: &random) {
                let first = Int.random(in: 0..<bytes.count, using: &random)
                let last = Int.random(in: first..<bytes.count, using: &random)
                let got = try await world.get(key) { $0.range = .closed(first, last) }
                #expect(got == Array(bytes[first...last]), "seed \(seed)")
            } else {
                let got = try await world.get(key)
                #expect(got == bytes, "seed \(seed)")
            }
        }

        private mutating func copy(_ key: String) async throws {
            guard let (source, bytes) = model.filter({ $0.key != key }).min(by: { $0.key < $1.key })
            else { return }
            let request = CopyRequest(
                from: try world.address(source), to: try world.address(key))
            try await settle(key, bytes) { world in _ = try await world.service.copy(request) }
        }

        private mutating func multipart(_ key: String) async throws {
            let pieces = [pattern(5 << 20, seed: random.next()), bytes()]
            let address = try world.address(key)
            try await settle(key, pieces.flatMap { $0 }) { world in
                let service = world.service
                let created = try await service.createUpload(
                    CreateUploadRequest(address, owner: "root"))
                let upload = UploadAddress(address, upload: created.upload)
                var parts: [CompleteUploadRequest.Part] = []
                for (index, piece) in pieces.enumerated() {
                    let part = try await service.putPart(
                        PutPartRequest(upload, number: index + 1, length: piece.count),
                        body: PieceSource(piece))
                    parts.append(.init(number: part.number, etag: part.etag))
                }
                _ = try await service.completeUpload(
                    CompleteUploadRequest(upload, parts: parts))
            }
        }

        private func checkList() async throws {
            let page = try await world.service.list(ListRequest(bucket: "b"))
            #expect(page.objects.map(\.key.description) == model.keys.sorted(), "seed \(seed)")
            #expect(
                page.objects.map(\.size) == model.keys.sorted().map { model[$0]?.count },
                "seed \(seed)")
        }
    }
}
