import ClusterView
import Core
import Messages
import NIOCore
import ObjectStore
import SwiftProtobuf

/// The catalogue's door, over the node protocol: finds the range of a bucket, asks its leader.
package struct CatalogueOverWire: CatalogueDoor {
    private let client: CatalogueClient
    private let follower: ClusterFollower
    private let clocks: any Clocks

    package init(follower: ClusterFollower, clocks: any Clocks) {
        self.follower = follower
        self.client = follower.client()
        self.clocks = clocks
    }

    package func propose(
        _ command: ProtoRangeCommand, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeResult {
        try await propose(command, to: try range(of: bucket), deadline)
    }

    package func query(
        _ query: ProtoRangeQuery, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeAnswer {
        try await ask(query, of: try range(of: bucket), deadline)
    }

    package func propose(
        system command: ProtoSystemCommand, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemResult {
        try await propose(command, to: .system, deadline)
    }

    package func query(
        system query: ProtoSystemQuery, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemAnswer {
        try await ask(query, of: .system, deadline)
    }

    /// A bucket lies in one range as long as ranges do not split within buckets.
    private func range(of bucket: BucketID) throws(CatalogueDoorError) -> RangeID {
        guard let range = follower.state.range(of: bucket) else {
            throw .unavailable("the cluster's ranges are not known yet")
        }
        return range
    }

    private func nioDeadline(_ deadline: MonotonicTime) -> NIODeadline {
        let now = clocks.monotonic.milliseconds
        let left = deadline.milliseconds > now ? deadline.milliseconds - now : 0
        return client.now + .milliseconds(Int64(left))
    }

    private func propose<Result: Message>(
        _ command: some Message, to range: RangeID, _ deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> Result {
        do throws(CatalogueClientError) {
            return try await client.propose(command, to: range, deadline: nioDeadline(deadline))
        } catch {
            throw CatalogueDoorError(error, isCommand: true)
        }
    }

    private func ask<Answer: Message>(
        _ query: some Message, of range: RangeID, _ deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> Answer {
        do throws(CatalogueClientError) {
            return try await client.query(query, of: range, deadline: nioDeadline(deadline))
        } catch {
            throw CatalogueDoorError(error, isCommand: false)
        }
    }
}

extension CatalogueDoorError {
    fileprivate init(_ error: CatalogueClientError, isCommand: Bool) {
        switch error {
        case .unavailable(let text), .overloaded(let text): self = .unavailable(text)
        case .uncertain(let text): self = .uncertain(text)
        // A command whose answer is garbage may have been applied all the same.
        case .malformed(let text): self = isCommand ? .uncertain(text) : .unavailable(text)
        }
    }
}
