import Core
import Messages
import NIOCore
import Testing

@testable import ObjectStore

@Suite(.serialized) struct MultipartTests {
    private func world() async throws -> World {
        let world = World()
        try await world.makeBucket()
        return world
    }

    private func begin(
        _ world: World, _ change: (inout CreateUploadRequest) -> Void = { _ in }
    ) async throws -> UploadAddress {
        var request = CreateUploadRequest(try world.address("k"), owner: "root")
        change(&request)
        let created = try await world.service.createUpload(request)
        return UploadAddress(request.address, upload: created.upload)
    }

    private func put(
        _ world: World, _ address: UploadAddress, _ number: Int, _ bytes: [UInt8]
    ) async throws -> PartInfo {
        try await world.service.putPart(
            PutPartRequest(address, number: number, length: bytes.count),
            body: PieceSource(bytes))
    }

    private func listed(_ parts: [PartInfo]) -> [CompleteUploadRequest.Part] {
        parts.map { CompleteUploadRequest.Part(number: $0.number, etag: $0.etag) }
    }

    @Test func `parts put in any order become one object`() async throws {
        let world = try await world()
        let address = try await begin(world) {
            $0.attributes.userMetadata = [
                .with {
                    $0.name = "n"
                    $0.value = "v"
                }
            ]
        }
        let pieces = [5 << 20, 9 << 20, 5 << 20, 5 << 20, 100].enumerated()
            .map { pattern($1, seed: UInt64($0)) }
        var parts: [PartInfo] = []
        for index in [4, 0, 2, 1, 3] {
            parts.append(try await put(world, address, index * 3 + 1, pieces[index]))
        }
        parts.sort { $0.number < $1.number }
        let info = try await world.service.completeUpload(
            CompleteUploadRequest(address, parts: listed(parts)))
        let whole = pieces.flatMap { $0 }
        let md5s = pieces.flatMap { Digest.of($0, .md5) }
        #expect(info.etag == Hex.encode(Digest.of(md5s, .md5)) + "-5")
        #expect(info.size == whole.count && info.partCount == 5)
        #expect(info.userMetadata.map(\.name) == ["n"])
        let got = try await world.get("k")
        #expect(got == whole)
        // Ranges across parts, and parts by number.
        for range in [(0, 10), (5 << 20, 5 << 20), ((5 << 20) - 5, (14 << 20) + 5)] {
            let got = try await world.get("k") { $0.range = .closed(range.0, range.1) }
            #expect(got == Array(whole[range.0...range.1]))
        }
        let tail = try await world.get("k") { $0.range = .suffix(150) }
        #expect(tail == Array(whole.suffix(150)))
        let fourth = try await world.get("k") { $0.partNumber = 4 }
        #expect(fourth == pieces[1])
        await #expect(throws: ObjectStoreError.invalidPartNumber) {
            try await world.get("k") { $0.partNumber = 2 }
        }
        // Repeated because the answer was lost.
        let again = try await world.service.completeUpload(
            CompleteUploadRequest(address, parts: listed(parts)))
        #expect(again == info)
        await #expect(throws: ObjectStoreError.noSuchUpload) {
            try await world.service.abortUpload(address)
        }
    }

    @Test func `bad lists of parts are refused`() async throws {
        let world = try await world()
        let address = try await begin(world)
        let big = try await put(world, address, 1, pattern(5 << 20))
        let small = try await put(world, address, 2, pattern(10))
        let last = try await put(world, address, 3, pattern(20))
        func complete(_ parts: [CompleteUploadRequest.Part]) async throws {
            _ = try await world.service.completeUpload(
                CompleteUploadRequest(address, parts: parts))
        }
        await #expect(throws: ObjectStoreError.invalidPartOrder) {
            try await complete(listed([last, big]))
        }
        await #expect(throws: ObjectStoreError.entityTooSmall(part: 2, size: 10)) {
            try await complete(listed([big, small, last]))
        }
        await #expect(throws: ObjectStoreError.invalidPart(number: 7)) {
            try await complete(listed([big]) + [.init(number: 7, etag: last.etag)])
        }
        await #expect(throws: ObjectStoreError.invalidPart(number: 3)) {
            try await complete(listed([big]) + [.init(number: 3, etag: big.etag)])
        }
        await #expect(throws: ObjectStoreError.self) { try await complete([]) }
        try await complete(listed([big, last]))
        for number in [0, 10_001] {
            await #expect(throws: ObjectStoreError.self) {
                _ = try await put(world, address, number, [1])
            }
        }
        await #expect(throws: ObjectStoreError.noSuchUpload) {
            _ = try await put(world, address, 1, [1])
        }
    }

    @Test(arguments: [ObjectChecksum.Algorithm.crc32, .crc32c, .crc64nvme])
    func `a full-object checksum is that of the whole`(
        algorithm: ObjectChecksum.Algorithm
    ) async throws {
        let world = try await world()
        let address = try await begin(world) {
            $0.checksum = algorithm
            $0.checksumType = .fullObject
        }
        let pieces = [pattern(5 << 20), pattern(6 << 20), pattern(11)]
        var parts: [PartInfo] = []
        for (index, piece) in pieces.enumerated() {
            parts.append(try await put(world, address, index + 1, piece))
        }
        let value = checksum(pieces.flatMap { $0 }, algorithm)
        var request = CompleteUploadRequest(address, parts: listed(parts))
        request.declaredChecksum = ObjectChecksum(
            algorithm: algorithm, value: [UInt8](repeating: 0, count: algorithm.byteCount))
        await #expect(throws: ObjectStoreError.badDigest(declared: algorithm.rawValue)) {
            try await world.service.completeUpload(request)
        }
        request.declaredChecksum = ObjectChecksum(algorithm: algorithm, value: value)
        request.declaredSize = (11 << 20) + 11
        let info = try await world.service.completeUpload(request)
        #expect(info.checksum == request.declaredChecksum)
    }

    @Test func `a composite checksum is that of the parts' checksums`() async throws {
        let world = try await world()
        let address = try await begin(world) { $0.checksum = .sha256 }
        let pieces = [pattern(5 << 20), pattern(12)]
        var parts: [PartInfo] = []
        for (index, piece) in pieces.enumerated() {
            parts.append(try await put(world, address, index + 1, piece))
        }
        let info = try await world.service.completeUpload(
            CompleteUploadRequest(address, parts: listed(parts)))
        let sums = pieces.flatMap { Digest.of($0, .sha256) }
        #expect(info.checksum?.isComposite == true)
        #expect(info.checksum?.value == Digest.of(sums, .sha256))
        await #expect(throws: ObjectStoreError.self) {
            _ = try await begin(world) {
                $0.checksum = .sha1
                $0.checksumType = .fullObject
            }
        }
    }

    @Test func `parts and uploads are listed page by page`() async throws {
        let world = try await world()
        let address = try await begin(world)
        for number in [2, 4, 6] { _ = try await put(world, address, number, [UInt8(number)]) }
        var request = ListPartsRequest(address)
        request.limit = 2
        let first = try await world.service.listParts(request)
        #expect(first.parts.map(\.number) == [2, 4] && first.isTruncated && first.nextAfter == 4)
        request.after = first.nextAfter
        let second = try await world.service.listParts(request)
        #expect(second.parts.map(\.number) == [6] && !second.isTruncated)
        var ids: Set<UploadID> = [address.upload]
        for _ in 0..<4 { ids.insert(try await begin(world).upload) }
        var uploads = ListUploadsRequest(bucket: "b")
        uploads.limit = 2
        var seen: [UploadID] = []
        while true {
            let page = try await world.service.listUploads(uploads)
            seen += page.uploads.map(\.upload)
            guard page.isTruncated else { break }
            uploads.keyMarker = page.nextKeyMarker
            uploads.uploadMarker = page.nextUploadMarker
        }
        #expect(seen.count == 5 && Set(seen) == ids)
        try await world.service.abortUpload(address)
        await #expect(throws: ObjectStoreError.noSuchUpload) {
            try await world.service.listParts(request)
        }
    }

    @Test func `a part is copied from a range of another object`() async throws {
        let world = try await world()
        let bytes = pattern(12 << 20)
        _ = try await world.service.put(
            PutRequest(world.address("source"), length: bytes.count), body: PieceSource(bytes))
        let address = try await begin(world)
        var request = CopyPartRequest(address, number: 1, source: try world.address("source"))
        request.sourceRange = 1_000_000...9_999_999
        let part = try await world.service.copyPart(request)
        #expect(part.size == 9_000_000)
        request.number = 2
        request.sourceRange = nil
        let whole = try await world.service.copyPart(request)
        _ = try await world.service.completeUpload(
            CompleteUploadRequest(address, parts: listed([part, whole])))
        let got = try await world.get("k")
        #expect(got == Array(bytes[1_000_000...9_999_999]) + bytes)
        request.sourceRange = 0...(12 << 20)
        await #expect(throws: ObjectStoreError.self) { try await world.service.copyPart(request) }
    }
}
