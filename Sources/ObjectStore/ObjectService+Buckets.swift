import Core
import Messages

extension ObjectService {
    /// CreateBucket. The gateway has checked the name.
    ///
    /// - Throws: ``ObjectStoreError/bucketAlreadyOwnedByYou``, or
    ///   ``ObjectStoreError/bucketAlreadyExists`` where the owner is another.
    package func createBucket(
        _ name: String, owner: String
    ) async throws(ObjectStoreError) -> BucketInfo {
        var command = ProtoCreateBucket()
        command.name = name
        command.id = random.next()
        command.owner = owner
        let result = try await commit(system: .createBucket(command))
        if result.failure == .bucketAlreadyExists, result.bucket.owner == owner {
            throw .bucketAlreadyOwnedByYou
        }
        if result.failure == .tooMany { throw .tooManyBuckets }
        if let error = ObjectStoreError(result.failure, detail: result.detail) { throw error }
        return BucketInfo(result.bucket)
    }

    /// HeadBucket and GetBucketLocation: asked of the catalogue, so that no gateway lags behind.
    package func bucket(_ name: String) async throws(ObjectStoreError) -> BucketInfo {
        try await lookUp(name)
    }

    /// DeleteBucket: fenced first, so that nothing can be put in meanwhile; then removed. A crash
    /// between the two is finished by the coordinators, who see the fence.
    package func deleteBucket(_ name: String) async throws(ObjectStoreError) {
        let bucket = try await lookUp(name)
        var fence = ProtoFenceBucket()
        fence.bucket = bucket.id.rawValue
        do {
            _ = try await commit(.fenceBucket(fence), bucket: bucket.id)
        } catch .noSuchBucket {
            // Fenced before by somebody who did not come to the end.
        }
        var removal = ProtoDeleteBucket()
        removal.id = bucket.id.rawValue
        let result = try await commit(system: .deleteBucket(removal))
        if result.failure != .noSuchBucket,
            let error = ObjectStoreError(result.failure, detail: result.detail)
        {
            throw error
        }
        var confirmation = ProtoConfirmFence()
        confirmation.bucket = bucket.id.rawValue
        do {
            _ = try await commit(.confirmFence(confirmation), bucket: bucket.id)
        } catch {
            // The bucket is gone; the coordinators confirm what nobody else did.
        }
    }

    /// - Parameter limit: 1...10,000.
    package func listBuckets(
        prefix: String = "", after: String = "", limit: Int = ObjectStoreLimits.bucketPageMax
    ) async throws(ObjectStoreError) -> BucketPage {
        var question = ProtoListBuckets()
        question.prefix = prefix
        question.after = after
        question.limit = UInt32(max(1, min(limit, ObjectStoreLimits.bucketPageMax)))
        let list = try await ask(system: .listBuckets(question)).buckets
        return BucketPage(
            buckets: list.buckets.map(BucketInfo.init),
            nextAfter: list.isTruncated ? list.buckets.last?.name : nil)
    }
}
