import Core
import Messages
import NIOCore
import Testing

@testable import ObjectStore
@testable import ObjectStoreModel

/// Get, head, delete and copy.
@Suite struct ObjectTests {
    private func world() async throws -> World {
        let world = World()
        try await world.makeBucket()
        return world
    }

    @Test(arguments: [5_000, 20_000, 200_000, 9 << 20])
    func `ranges are exact, and read no more than they need`(size: Int) async throws {
        let world = try await world()
        let bytes = pattern(size)
        try await world.put("k", bytes)
        var random = SeededRandom(seed: UInt64(size))
        for _ in 0..<20 {
            let first = Int.random(in: 0..<size, using: &random)
            let last = min(size - 1, first + Int.random(in: 0...70_000, using: &random))
            let before = world.chunks.state.withLock { $0.fetchedBytes }
            let got = try await world.get("k") { $0.range = .closed(first, last) }
            #expect(got == Array(bytes[first...last]))
            let fetched = world.chunks.state.withLock { $0.fetchedBytes } - before
            let blocks = last / Limits.blockBytes - first / Limits.blockBytes + 1
            #expect(fetched <= blocks * Limits.sealedBlockBytes)
        }
        let tail = try await world.get("k") { $0.range = .suffix(10) }
        #expect(tail == Array(bytes.suffix(10)))
        await #expect(throws: ObjectStoreError.invalidRange(size: size)) {
            try await world.get("k") { $0.range = .from(size) }
        }
        var request = GetRequest(try world.address("k"))
        request.range = .from(1)
        let result = try await world.service.get(request)
        #expect(result.isPartial && result.range == 1..<size && result.body.length == size - 1)
    }

    @Test func `a small object is whole at once`() async throws {
        let world = try await world()
        try await world.put("k", pattern(100_000))
        let result = try await world.service.get(GetRequest(try world.address("k")))
        let whole = try #require(result.body.whole)
        #expect(Array(whole.readableBytesView) == pattern(100_000))
        #expect(world.catalogue.state.withLock { $0.queries } == 1)
        #expect(world.chunks.state.withLock { $0.nodes.values.map(\.fetches).reduce(0, +) } == 1)
    }

    @Test func `conditions of a read`() async throws {
        let world = try await world()
        let info = try await world.put("k", [1, 2, 3])
        let got = try await world.get("k") { $0.conditions.ifMatch = [info.etag] }
        #expect(got == [1, 2, 3])
        await #expect(throws: ObjectStoreError.notModified(info)) {
            try await world.get("k") { $0.conditions.ifNoneMatch = ["*"] }
        }
        await #expect(throws: ObjectStoreError.preconditionFailed(condition: "If-Match")) {
            try await world.get("k") { $0.conditions.ifMatch = ["x"] }
        }
        var head = HeadRequest(try world.address("k"))
        head.conditions.ifNoneMatch = [info.etag]
        await #expect(throws: ObjectStoreError.notModified(info)) {
            try await world.service.head(head)
        }
        head.conditions = ReadConditions()
        head.range = .closed(1, 1)
        let part = try await world.service.head(head)
        #expect(part.range == 1..<2 && part.isPartial)
    }

    @Test func `an object in one piece has one part`() async throws {
        let world = try await world()
        try await world.put("k", [1, 2, 3])
        let got = try await world.get("k") { $0.partNumber = 1 }
        #expect(got == [1, 2, 3])
        for number in [0, 2, 10_001] {
            await #expect(throws: ObjectStoreError.invalidPartNumber) {
                try await world.get("k") { $0.partNumber = number }
            }
        }
    }

    @Test func `deletes`() async throws {
        let world = try await world()
        let info = try await world.put("k", [1])
        await #expect(throws: ObjectStoreError.self) {
            try await world.service.delete(
                world.address("k"), conditions: WriteConditions(ifMatch: "x"))
        }
        try await world.service.delete(
            world.address("k"), conditions: WriteConditions(ifMatch: info.etag))
        try await world.service.delete(world.address("k"))
        await #expect(throws: ObjectStoreError.noSuchKey) { try await world.get("k") }
        for index in 0..<10 { try await world.put("m\(index)", [1]) }
        let keys = try (0..<12).map { try ObjectKey("m\($0)") }
        try await world.service.deleteMany(bucket: "b", keys: keys)
        let page = try await world.service.list(ListRequest(bucket: "b"))
        #expect(page.objects.isEmpty)
        await #expect(throws: ObjectStoreError.self) {
            try await world.service.deleteMany(
                bucket: "b", keys: Array(repeating: try ObjectKey("a"), count: 1001))
        }
    }

    @Test func `a copy has the bytes, and what it was told of the rest`() async throws {
        let world = try await world()
        let bytes = pattern(9 << 20)
        let name = ProtoNameValue.with {
            $0.name = "content-type"
            $0.value = "a/b"
        }
        try await world.put("k", bytes) {
            $0.attributes.headers = [name]
            $0.checksum = .crc32
        }
        let plain = try await world.service.copy(
            CopyRequest(from: world.address("k"), to: world.address("c")))
        #expect(plain.headers == [name] && plain.size == bytes.count)
        #expect(plain.checksum?.value == checksum(bytes, .crc32))
        var request = CopyRequest(from: try world.address("k"), to: try world.address("k"))
        do {
            _ = try await world.service.copy(request)
            Issue.record("a copy to itself changes nothing")
        } catch ObjectStoreError.invalidRequest {
            // As S3 answers.
        }
        request.replacement = ObjectAttributes(userMetadata: [name])
        let named = Set(world.catalogue.named)
        let replaced = try await world.service.copy(request)
        #expect(replaced.headers.isEmpty && replaced.userMetadata == [name])
        // Not a byte was written, nor left behind.
        #expect(Set(world.catalogue.named) == named)
        #expect(replaced.etag == plain.etag && replaced.checksum == plain.checksum)
        for key in ["k", "c"] {
            let got = try await world.get(key)
            #expect(got == bytes)
        }
        request.sourceConditions.ifMatch = ["x"]
        await #expect(
            throws: ObjectStoreError.preconditionFailed(
                condition: "x-amz-copy-source-If-Match")
        ) { try await world.service.copy(request) }
        request.sourceConditions = ReadConditions()
        request.sourceConditions.ifNoneMatch = [replaced.etag]
        await #expect(
            throws: ObjectStoreError.preconditionFailed(
                condition: "x-amz-copy-source-If-None-Match")
        ) { try await world.service.copy(request) }
    }

    @Test func `a copy to itself holds its conditions, and rewrites for another checksum`()
        async throws
    {
        let world = try await world()
        let bytes = pattern(200_000)
        let info = try await world.put("k", bytes) { $0.checksum = .crc32 }
        let address = try world.address("k")
        var request = CopyRequest(from: address, to: address)
        request.replacement = ObjectAttributes()
        request.conditions = WriteConditions(ifNoneMatchAny: true)
        await #expect(
            throws: ObjectStoreError.preconditionFailed(condition: "If-None-Match")
        ) { try await world.service.copy(request) }
        request.conditions = WriteConditions(ifMatch: "other")
        await #expect(
            throws: ObjectStoreError.preconditionFailed(condition: "If-Match")
        ) { try await world.service.copy(request) }
        request.conditions = WriteConditions(ifMatch: info.etag)
        let named = Set(world.catalogue.named)
        world.clocks.advance(by: 5_000)
        let same = try await world.service.copy(request)
        #expect(Set(world.catalogue.named) == named)
        #expect(same.modified.milliseconds == info.modified.milliseconds + 5_000)
        request.checksum = .sha256
        let rewritten = try await world.service.copy(request)
        #expect(rewritten.checksum?.value == checksum(bytes, .sha256))
        #expect(Set(world.catalogue.named) != named)
        let got = try await world.get("k")
        #expect(got == bytes)
        let missing = try world.address("missing")
        var none = CopyRequest(from: missing, to: missing)
        none.replacement = ObjectAttributes()
        await #expect(throws: ObjectStoreError.noSuchKey) { try await world.service.copy(none) }
    }
}
