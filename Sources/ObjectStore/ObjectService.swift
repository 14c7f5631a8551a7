import Core
import NIOCore

/// S3's operations on objects, without HTTP and without sockets. Any thread; holds no state that
/// outlives an operation.
package final class ObjectService: Sendable {
    package init(
        cluster: any ClusterDoor, catalogue: any CatalogueDoor, chunks: any ChunkDoor,
        keys: KeyRing, clocks: any Clocks = SystemClocks()
    ) {}

    /// Watches over writes that stall. Runs until its task is cancelled; nothing works without it.
    package func run() async {}
}

// MARK: Objects
extension ObjectService {
    package func put(
        _ request: PutRequest, body: sending some ByteSource
    ) async throws -> ObjectInfo {
        throw ObjectStoreError.slowDown("not built yet")
    }

    package func get(_ request: GetRequest) async throws(ObjectStoreError) -> GetResult {
        throw .slowDown("not built yet")
    }

    package func head(_ request: HeadRequest) async throws(ObjectStoreError) -> HeadResult {
        throw .slowDown("not built yet")
    }

    /// Succeeds whether or not the key exists.
    package func delete(
        _ address: ObjectAddress, conditions: WriteConditions = WriteConditions()
    ) async throws(ObjectStoreError) {
        throw .slowDown("not built yet")
    }

    /// At most 1,000 keys: all of them are gone afterwards, or none.
    package func deleteMany(
        bucket: String, keys: [ObjectKey]
    ) async throws(ObjectStoreError) {
        throw .slowDown("not built yet")
    }

    package func copy(_ request: CopyRequest) async throws -> ObjectInfo {
        throw ObjectStoreError.slowDown("not built yet")
    }

    package func list(_ request: ListRequest) async throws(ObjectStoreError) -> ListPage {
        throw .slowDown("not built yet")
    }
}

// MARK: Buckets
extension ObjectService {
    /// - Throws: ``ObjectStoreError/bucketAlreadyOwnedByYou``, or
    ///   ``ObjectStoreError/bucketAlreadyExists`` where the owner is another.
    package func createBucket(
        _ name: String, owner: String
    ) async throws(ObjectStoreError) -> BucketInfo {
        throw .slowDown("not built yet")
    }

    /// HeadBucket and GetBucketLocation.
    package func bucket(_ name: String) async throws(ObjectStoreError) -> BucketInfo {
        throw .slowDown("not built yet")
    }

    package func deleteBucket(_ name: String) async throws(ObjectStoreError) {
        throw .slowDown("not built yet")
    }

    /// - Parameter limit: 1...10,000.
    package func listBuckets(
        prefix: String = "", after: String = "", limit: Int = 10_000
    ) async throws(ObjectStoreError) -> BucketPage {
        throw .slowDown("not built yet")
    }
}

// MARK: Multipart
extension ObjectService {
    package func createUpload(
        _ request: CreateUploadRequest
    ) async throws(ObjectStoreError) -> CreateUploadResult {
        throw .slowDown("not built yet")
    }

    package func putPart(
        _ request: PutPartRequest, body: sending some ByteSource
    ) async throws -> PartInfo {
        throw ObjectStoreError.slowDown("not built yet")
    }

    package func copyPart(_ request: CopyPartRequest) async throws -> PartInfo {
        throw ObjectStoreError.slowDown("not built yet")
    }

    package func completeUpload(
        _ request: CompleteUploadRequest
    ) async throws(ObjectStoreError) -> ObjectInfo {
        throw .slowDown("not built yet")
    }

    package func abortUpload(_ address: UploadAddress) async throws(ObjectStoreError) {
        throw .slowDown("not built yet")
    }

    package func listParts(_ request: ListPartsRequest) async throws(ObjectStoreError) -> PartPage {
        throw .slowDown("not built yet")
    }

    package func listUploads(
        _ request: ListUploadsRequest
    ) async throws(ObjectStoreError) -> UploadPage {
        throw .slowDown("not built yet")
    }
}
