import Core
import Foundation
import Messages
import NIOCore
import Testing

@testable import ObjectStore
@testable import ObjectStoreModel

@Suite(.serialized) struct PutTests {
    @Test(arguments: [
        0, 1, 8175, 8176, 8177, 16_384, 65_535, 65_536, 65_537, 262_144, 300_001, 1 << 20,
        (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 17 << 20,
    ])
    func `what is put is got back, whatever its size`(size: Int) async throws {
        let world = World()
        try await world.makeBucket()
        let bytes = pattern(size)
        let info = try await world.put("k", bytes)
        #expect(info.size == size)
        #expect(info.etag == Hex.encode(Digest.of(bytes, .md5)))
        let got = try await world.get("k")
        #expect(got == bytes)
        let expected = size <= 8176 ? 0 : (size + (8 << 20) - 1) / (8 << 20)
        #expect(world.catalogue.named.count == expected)
        for chunk in world.catalogue.named { #expect(world.chunks.copies(of: chunk).count == 3) }
        #expect(world.service.chunkWritesInFlight == 0)
        #expect(world.service.memoryBytesUsed == 0)
    }

    @Test func `a slow client's body is cut into shorter chunks, and reads as any other`()
        async throws
    {
        let world = World()
        try await world.makeBucket()
        let bytes = pattern((10 << 20) + 77)
        // 64 KiB a second at first: 2 MiB take half a minute; then 4 KiB a second; then at once.
        let pauses =
            Array(repeating: UInt64(1_000), count: 32) + Array(repeating: 16_000, count: 16)
        let source = SlowSource(bytes, pauses: pauses + [0], clocks: world.clocks)
        let request = PutRequest(try world.address("k"), length: bytes.count)
        let info = try await world.service.put(request, body: source)
        #expect(info.etag == Hex.encode(Digest.of(bytes, .md5)))
        let body = world.catalogue.state.withLock { $0.objects.values.first?.values.first?.body }
        let sizes = try #require(body).chunked.chunks.map { Int($0.bytes) }
        #expect(sizes == [2 << 20, 1 << 20, (7 << 20) + 77])
        let got = try await world.get("k")
        #expect(got == bytes)
        for first in [0, (2 << 20) - 1, 2 << 20, 3 << 20, (3 << 20) + 70_000] {
            let part = try await world.get("k") { $0.range = .closed(first, first + 100_000) }
            #expect(part == Array(bytes[first...first + 100_000]))
        }
    }

    @Test func `a chunk is as long as its client sends in a minute`() {
        func chunk(_ bytes: Int, _ milliseconds: UInt64) -> Int {
            ChunkPace(
                bytes: bytes, from: MonotonicTime(milliseconds: 5),
                to: MonotonicTime(milliseconds: 5 + milliseconds)
            ).chunkBytes
        }
        #expect(chunk(256 << 10, 0) == 8 << 20)
        #expect(chunk(256 << 10, 1_875) == 8 << 20)
        #expect(chunk(256 << 10, 1_876) == 4 << 20)
        #expect(chunk(256 << 10, 15_000) == 1 << 20)
        #expect(chunk(256 << 10, 10_000_000) == 1 << 20)
        #expect(chunk(1, 0) == 8 << 20)
        ObjectStoreLimits.check()
    }

    @Test func `headers, metadata and checksum come back`() async throws {
        let world = World()
        try await world.makeBucket()
        let bytes = pattern(10_000)
        let sum = ObjectChecksum(algorithm: .crc64nvme, value: checksum(bytes, .crc64nvme))
        let header = ProtoNameValue.with {
            $0.name = "content-type"
            $0.value = "text/plain"
        }
        let metadata = ProtoNameValue.with {
            $0.name = "colour"
            $0.value = "blue"
        }
        try await world.put("k", bytes) {
            $0.attributes = ObjectAttributes(headers: [header], userMetadata: [metadata])
            $0.declaredChecksum = sum
            $0.contentMD5 = Digest.of(bytes, .md5)
        }
        let head = try await world.service.head(HeadRequest(try world.address("k")))
        #expect(head.info.headers == [header])
        #expect(head.info.userMetadata == [metadata])
        #expect(head.info.checksum == sum)
        #expect(head.range == 0..<10_000 && !head.isPartial)
    }

    @Test func `the owner record names the object, the write and its key`() async throws {
        let world = World()
        try await world.makeBucket()
        try await world.put("dir/k", pattern(9 << 20))
        let chunk = try #require(world.catalogue.named.last)
        let sealed = world.chunks.state.withLock { state in
            state.nodes.values.compactMap { $0.owners[chunk] }.first
        }
        let owner = try OwnerRecord(opening: try #require(sealed), by: world.keys)
        #expect(owner.key == (try ObjectKey("dir/k")))
        #expect(owner.chunk == 1 && owner.chunkBytes == 1 << 20 && owner.bodyBytes == 9 << 20)
        #expect(owner.bucket == world.catalogue.bucket(named: "b")?.id)
        #expect(try world.keys.unwrap(owner.wrappedKey).count == 32)
    }

    @Test(arguments: [100, 20_000, 9 << 20])
    func `a body that is not what was declared leaves nothing behind`(size: Int) async throws {
        let world = World()
        try await world.makeBucket()
        let bytes = pattern(size)
        let address = try world.address("k")
        func attempt(
            _ source: PieceSource, _ change: (inout PutRequest) -> Void = { _ in }
        ) async throws {
            var request = PutRequest(address, length: size)
            change(&request)
            _ = try await world.service.put(request, body: source)
        }
        await #expect(throws: PieceSource.Broken()) {
            try await attempt(PieceSource(bytes, breaksAt: size / 2))
        }
        await #expect(throws: PieceSource.Broken()) {
            try await attempt(PieceSource(bytes, breaksAtEnd: true))
        }
        await #expect(throws: ObjectStoreError.incompleteBody) {
            try await attempt(PieceSource(Array(bytes.dropLast())))
        }
        await #expect(throws: ObjectStoreError.incompleteBody) {
            try await attempt(PieceSource(bytes + [1]))
        }
        await #expect(throws: ObjectStoreError.badDigest(declared: "Content-MD5")) {
            try await attempt(PieceSource(bytes)) { $0.contentMD5 = pattern(16) }
        }
        let wrong = ObjectChecksum(algorithm: .crc32c, value: [1, 2, 3, 4])
        await #expect(throws: ObjectStoreError.badDigest(declared: "crc32c")) {
            try await attempt(PieceSource(bytes)) { $0.declaredChecksum = wrong }
        }
        await #expect(throws: ObjectStoreError.badDigest(declared: "crc32c")) {
            try await attempt(PieceSource(bytes, trailing: wrong)) { $0.checksum = .crc32c }
        }
        await #expect(throws: ObjectStoreError.noSuchKey) { try await world.get("k") }
        #expect(world.chunks.chunkCount == 0)
        #expect(world.service.chunkWritesInFlight == 0)
        #expect(world.service.memoryBytesUsed == 0)
    }

    @Test func `a refused or impossible commit leaves nothing behind`() async throws {
        let world = World()
        try await world.makeBucket()
        let first = try await world.put("k", pattern(20_000))
        await #expect(throws: ObjectStoreError.preconditionFailed(condition: "If-None-Match")) {
            try await world.put("k", pattern(30_000)) { $0.conditions.ifNoneMatchAny = true }
        }
        await #expect(throws: ObjectStoreError.noSuchKey) {
            try await world.put("n", pattern(30_000)) { $0.conditions.ifMatch = "*" }
        }
        world.catalogue.failNext(.unavailable)
        await #expect(throws: ObjectStoreError.slowDown("no leader")) {
            try await world.put("k", pattern(30_000))
        }
        #expect(world.chunks.chunkCount == 1)
        try await world.put("k", pattern(25_000)) { $0.conditions.ifMatch = first.etag }
        let got = try await world.get("k")
        #expect(got == pattern(25_000))
        await #expect(throws: ObjectStoreError.noSuchBucket) {
            try await world.put("k", pattern(9)) {
                $0.address = ObjectAddress(bucket: "none", key: $0.address.key)
            }
        }
    }

    @Test(arguments: [true, false])
    func `chunks stay when nobody knows whether they were named`(applies: Bool) async throws {
        let world = World()
        try await world.makeBucket()
        world.catalogue.failNext(.uncertain(applies: applies))
        await #expect(throws: ObjectStoreError.uncertain("the leader has gone")) {
            try await world.put("k", pattern(30_000))
        }
        #expect(world.chunks.chunkCount == 1)
        if applies {
            let got = try await world.get("k")
            #expect(got == pattern(30_000))
        }
    }

    @Test func `a client that goes away leaves nothing behind`() async throws {
        let world = World()
        try await world.makeBucket()
        for node in world.nodes { world.chunks.set(.silent, on: node) }
        let address = try world.address("k")
        let put = Task {
            try await world.service.put(
                PutRequest(address, length: 30_000), body: PieceSource(pattern(30_000)))
        }
        while world.service.chunkWritesInFlight == 0 { await Task.yield() }
        put.cancel()
        await #expect(throws: CancellationError.self) { try await put.value }
        #expect(world.service.chunkWritesInFlight == 0)
        #expect(world.chunks.state.withLock { $0.tombstones.count } == 1)
        #expect(world.service.memoryBytesUsed == 0)
    }

    @Test func `a bucket deleted and made again meanwhile is not written into`() async throws {
        let world = World()
        try await world.makeBucket()
        let old = try #require(world.catalogue.bucket(named: "b"))
        try await world.service.deleteBucket("b")
        world.cluster.stale.withLock { $0["b"] = old }
        await #expect(throws: ObjectStoreError.noSuchBucket) {
            try await world.put("k", pattern(30_000))
        }
        try await world.makeBucket()
        await #expect(throws: ObjectStoreError.self) { try await world.put("k", pattern(30_000)) }
        #expect(world.chunks.chunkCount == 0)
        // Questions find the new bucket at once.
        await #expect(throws: ObjectStoreError.noSuchKey) { try await world.get("k") }
    }
}
