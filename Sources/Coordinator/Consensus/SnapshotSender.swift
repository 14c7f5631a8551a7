import Catalogue
import Core
import Foundation
import Logging
import Messages
import NIOCore
import Raft
import RaftLog

/// Writes snapshots of the state machines to files and sends them to followers that lag.
struct SnapshotSender: Sendable {
    let directory: String
    let handles: [RangeID: GroupHandle]
    let transport: any RaftTransport
    let inbox: HostInbox
    let thread: DiskThread
    let clocks: any Clocks
    let logger: Logger

    /// Sends what is asked for, a few at a time, until `jobs` ends.
    func run(_ jobs: AsyncStream<SnapshotJob>) async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await job in jobs {
                if running == RaftHostLimits.snapshotSendersMax {
                    await group.next()
                    running -= 1
                }
                running += 1
                group.addTask { await send(job) }
            }
            group.cancelAll()
        }
    }

    private func send(_ job: SnapshotJob) async {
        guard let handle = handles[job.range] else { return }
        let name = "outgoing-\(job.range.rawValue)-\(job.node.hex)"
        var mark: SnapshotMark?
        var isDelivered = false
        do {
            let prepared = try await prepare(job, handle, name: name)
            mark = prepared.mark
            let (file, thread) = (prepared.file, thread)
            try await transport.sendSnapshot(prepared.header, to: job.node) {
                try await thread.run { try file.next() }
            }
            isDelivered = true
            logger.info(
                "snapshot sent",
                metadata: [
                    "group": "\(job.range)", "to": "\(job.node)", "bytes": "\(file.size)",
                    "position": "\(prepared.mark.position)",
                ])
        } catch {
            logger.warning(
                "snapshot not sent",
                metadata: ["group": "\(job.range)", "to": "\(job.node)", "error": "\(error)"])
            try? await clocks.sleep(for: RaftHostLimits.snapshotRetry)
        }
        SnapshotFile.remove(directory + "/" + name)
        inbox.post(
            .snapshotSent(job.range, to: job.node, mark: mark, isDelivered: isDelivered))
    }

    private struct Prepared: Sendable {
        var file: SnapshotFile
        var header: ByteBuffer
        var mark: SnapshotMark
    }

    private func prepare(
        _ job: SnapshotJob, _ handle: GroupHandle, name: String
    ) async throws -> Prepared {
        let directory = directory
        return try await thread.run {
            let written = try handle.store.writeSnapshot(to: directory + "/" + name)
            guard let note = StoreNote(bytes: written.note) else {
                throw RaftCodec.Malformed(what: "a snapshot of nothing")
            }
            let file = try SnapshotFile.open(name, in: directory)
            let mark = note.mark(at: written.appliedIndex)
            let checksum = try file.checksum()
            let header = ProtoRaftSnapshot.with {
                $0.range = job.range.rawValue
                $0.term = job.term.rawValue
                $0.mark = RaftCodec.encode(mark)
                $0.size = UInt64(file.size)
                $0.checksum = checksum
            }
            return Prepared(file: file, header: RaftCodec.bytes(of: header), mark: mark)
        }
    }
}
