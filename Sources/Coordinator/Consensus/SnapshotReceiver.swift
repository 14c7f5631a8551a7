import Core
import Messages
import NIOCore
import Raft
import Synchronization

/// Why a snapshot was not taken. The sender tries again later, from the beginning.
package enum SnapshotRefusal: Error, Hashable, Sendable {
    /// Another one of the group is under way.
    case busy
    case noSuchRange
    case malformed(String)
    /// Bytes are missing or wrong.
    case damaged
}

/// Stores snapshots that arrive, then tells the loop.
final class SnapshotReceiver: Sendable {
    private let directory: String
    private let ranges: Set<RangeID>
    private let inbox: HostInbox
    private let thread: DiskThread
    private let busy = Mutex<Set<RangeID>>([])
    private let count = Atomic<UInt64>(0)

    init(directory: String, ranges: Set<RangeID>, inbox: HostInbox, thread: DiskThread) {
        self.directory = directory
        self.ranges = ranges
        self.inbox = inbox
        self.thread = thread
    }

    /// Returns when all bytes are stored; whether they are wanted is the group's decision.
    ///
    /// - Parameter next: The next bytes; `nil` at the end.
    func receive(
        _ header: ByteBuffer, from node: NodeID, next: () async throws -> ByteBuffer?
    ) async throws {
        guard
            let snapshot = try? ProtoRaftSnapshot(serializedBytes: Array(header.readableBytesView))
        else { throw SnapshotRefusal.malformed("no snapshot") }
        let range = RangeID(rawValue: snapshot.range)
        guard ranges.contains(range) else { throw SnapshotRefusal.noSuchRange }
        guard snapshot.size <= UInt64(RaftHostLimits.snapshotBytesMax) else {
            throw SnapshotRefusal.malformed("a snapshot of \(snapshot.size) bytes")
        }
        let mark = try RaftCodec.decode(snapshot.mark)
        let term = try RaftCodec.term(snapshot.term)
        guard busy.withLock({ $0.insert(range).inserted }) else { throw SnapshotRefusal.busy }
        defer { _ = busy.withLock { $0.remove(range) } }
        let path = try await store(snapshot, range, next)
        inbox.post(
            .snapshotReceived(
                ReceivedSnapshot(
                    range: range, from: node, term: term, mark: mark,
                    path: path)))
    }

    private func store(
        _ snapshot: ProtoRaftSnapshot, _ range: RangeID,
        _ next: () async throws -> ByteBuffer?
    ) async throws -> String {
        let directory = directory
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "incoming-\(range.rawValue)-\(number)"
        let (size, checksum) = (Int(snapshot.size), snapshot.checksum)
        let file = try await thread.run {
            try SnapshotFile.create(name, size: size, in: directory)
        }
        do {
            while let piece = try await next() {
                let isTaken = try await thread.run { try file.append(piece) }
                guard isTaken else { throw SnapshotRefusal.damaged }
            }
            let isComplete = try await thread.run { try file.finish(checksum: checksum) }
            guard isComplete else { throw SnapshotRefusal.damaged }
        } catch {
            SnapshotFile.remove(file.path)
            throw error
        }
        return file.path
    }
}
