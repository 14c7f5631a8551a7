import Core
import Messages
import Testing

@testable import ObjectStore
@testable import ObjectStoreModel

@Suite struct ListTests {
    private func world(_ keys: [String]) async throws -> World {
        let world = World()
        try await world.makeBucket()
        for key in keys { try await world.put(key, Array(key.utf8)) }
        return world
    }

    private func texts(_ page: ListPage) -> [String] { page.objects.map(\.key.description) }

    @Test func `pages by continuation token cover all keys once`() async throws {
        let keys = (0..<25).map { "k\(10 + $0)" }
        let world = try await world(keys)
        var request = ListRequest(bucket: "b")
        request.limit = 7
        var seen: [String] = []
        var pages = 0
        while true {
            let page = try await world.service.list(request)
            seen += texts(page)
            pages += 1
            #expect(page.isTruncated == (page.continuationToken != nil))
            guard let token = page.continuationToken else { break }
            request.start = .continuing(token: token)
        }
        #expect(seen == keys)
        #expect(pages == 4)
    }

    @Test func `common prefixes count, and a marker passes over all of one`() async throws {
        let world = try await world(["a", "b/1", "b/2", "b/3", "c/1", "d"])
        var request = ListRequest(bucket: "b")
        request.delimiter = Array("/".utf8)
        request.limit = 2
        let first = try await world.service.list(request)
        #expect(texts(first) == ["a"])
        #expect(first.commonPrefixes == [Array("b/".utf8)])
        #expect(first.isTruncated && first.nextMarker == Array("b/".utf8))
        request.start = .after(first.nextMarker)
        let second = try await world.service.list(request)
        #expect(texts(second) == ["d"])
        #expect(second.commonPrefixes == [Array("c/".utf8)])
        #expect(!second.isTruncated && second.nextMarker.isEmpty)
    }

    @Test func `a prefix and a start`() async throws {
        let world = try await world(["p/1", "p/2", "p/3", "q"])
        var request = ListRequest(bucket: "b")
        request.prefix = Array("p/".utf8)
        request.start = .after(Array("p/1".utf8))
        let page = try await world.service.list(request)
        #expect(texts(page) == ["p/2", "p/3"])
        #expect(page.objects[0].size == 3)
        #expect(page.objects[0].etag == Hex.encode(Digest.of(Array("p/2".utf8), .md5)))
    }

    @Test func `no entries asked for: an empty, complete page`() async throws {
        let world = try await world(["a"])
        var request = ListRequest(bucket: "b")
        request.limit = 0
        let page = try await world.service.list(request)
        #expect(page.objects.isEmpty && !page.isTruncated && page.continuationToken == nil)
        request.bucket = "none"
        await #expect(throws: ObjectStoreError.noSuchBucket) {
            try await world.service.list(request)
        }
    }

    @Test(arguments: ["", "zz", "0", "02aa", String(repeating: "01", count: 2000)])
    func `a made-up token is refused`(token: String) async throws {
        let world = try await world([])
        var request = ListRequest(bucket: "b")
        request.start = .continuing(token: token)
        await #expect(
            throws: ObjectStoreError.invalidArgument(
                "The continuation token provided is incorrect")
        ) { try await world.service.list(request) }
    }
}

@Suite struct BucketTests {
    @Test func `made, found, listed, emptied, removed`() async throws {
        let world = World()
        try await world.makeBucket("one")
        try await world.makeBucket("two")
        await #expect(throws: ObjectStoreError.bucketAlreadyOwnedByYou) {
            try await world.service.createBucket("one", owner: "root")
        }
        await #expect(throws: ObjectStoreError.bucketAlreadyExists) {
            try await world.service.createBucket("one", owner: "other")
        }
        let found = try await world.service.bucket("two")
        #expect(found.name == "two" && found.owner == "root")
        let page = try await world.service.listBuckets(limit: 1)
        #expect(page.buckets.map(\.name) == ["one"] && page.nextAfter == "one")
        let rest = try await world.service.listBuckets(after: "one")
        #expect(rest.buckets.map(\.name) == ["two"] && rest.nextAfter == nil)
        let address = try world.address("k", bucket: "one")
        _ = try await world.service.put(
            PutRequest(address, length: 1), body: PieceSource([1]))
        await #expect(throws: ObjectStoreError.bucketNotEmpty) {
            try await world.service.deleteBucket("one")
        }
        try await world.service.delete(address)
        try await world.service.deleteBucket("one")
        await #expect(throws: ObjectStoreError.noSuchBucket) {
            try await world.service.bucket("one")
        }
        await #expect(throws: ObjectStoreError.noSuchBucket) {
            try await world.service.deleteBucket("one")
        }
        let id = world.catalogue.state.withLock { $0.confirmed.count }
        #expect(id == 1)
    }

    @Test func `a delete that was broken off is finished by the next`() async throws {
        let world = World()
        try await world.makeBucket()
        let bucket = try #require(world.catalogue.bucket(named: "b"))
        world.catalogue.state.withLock { _ = $0.fenced.insert(bucket.id.rawValue) }
        await #expect(throws: ObjectStoreError.noSuchBucket) { try await world.put("k", [1]) }
        try await world.service.deleteBucket("b")
        #expect(world.catalogue.bucket(named: "b") == nil)
    }
}
