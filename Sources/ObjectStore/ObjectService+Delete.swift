import Core
import Messages

extension ObjectService {
    /// DeleteObject. Succeeds whether or not the key exists.
    package func delete(
        _ address: ObjectAddress, conditions: WriteConditions = WriteConditions()
    ) async throws(ObjectStoreError) {
        try await delete([address.key], in: address.bucket, conditions)
    }

    /// DeleteObjects, at most 1,000 keys in one command: all of them are gone afterwards, or none.
    package func deleteMany(
        bucket: String, keys: [ObjectKey]
    ) async throws(ObjectStoreError) {
        guard keys.count <= ObjectStoreLimits.pageEntriesMax else {
            throw .invalidRequest("At most 1,000 keys can be deleted at once.")
        }
        guard !keys.isEmpty else { return }
        try await delete(keys, in: bucket, WriteConditions())
    }

    private func delete(
        _ keys: [ObjectKey], in name: String, _ conditions: WriteConditions
    ) async throws(ObjectStoreError) {
        try await withBucket(name) { bucket throws(ObjectStoreError) in
            var command = ProtoDeleteObjects()
            command.bucket = bucket.id.rawValue
            command.keys = keys.map(\.data)
            command.precondition = conditions.proto
            _ = try await commit(
                .deleteObjects(command), bucket: bucket.id, conditions: conditions)
        }
    }
}
