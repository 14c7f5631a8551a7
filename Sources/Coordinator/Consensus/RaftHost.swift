import Catalogue
import Core
import Foundation
import Logging
import NIOCore
import Raft
import RaftLog
import Synchronization

/// Runs all Raft groups of one coordinator. Any thread. See <doc:Consensus>.
///
/// The groups are confined to one event loop (``HostLoop``). A proposal hops to the loop, from
/// there to the log's thread and back, and to the group's apply thread, which answers; each hop
/// carries whatever waits.
package final class RaftHost: Sendable {
    package struct Configuration: Sendable {
        package struct Group: Sendable {
            package var range: RangeID
            /// Where this node is a founder of the group; `nil` where it will be added.
            package var firstMembership: Membership?
            /// Opens the state machine; may block.
            package var open: @Sendable () throws -> any CatalogueStore

            package init(
                range: RangeID, firstMembership: Membership?,
                open: @escaping @Sendable () throws -> any CatalogueStore
            ) {
                self.range = range
                self.firstMembership = firstMembership
                self.open = open
            }
        }

        /// When the state machines are made durable, so that the log may be truncated.
        package struct Checkpoints: Hashable, Sendable {
            /// After this many bytes of entries.
            package var bytes = 16 << 20
            /// After this long, if anything was applied.
            package var intervalMilliseconds: UInt64 = 60_000
            /// Entries kept behind what is applied: followers that lack no more need no snapshot.
            package var keptEntries = RaftHostLimits.entriesKeptMax
            package init() {}
        }

        package var me: NodeID
        /// Holds `raft-log/` and `snapshots/`; the stores must be on the same file system.
        package var directory: String
        package var groups: [Group]
        /// Times and windows; the id is ignored.
        package var raft: RaftConfiguration
        package var checkpoints = Checkpoints()
        package var readerCount = RaftHostLimits.readerCount
        /// Whether leaders of ranges spread over the coordinators.
        package var isBalancing = true
        package var balanceMilliseconds = RaftHostLimits.balanceMilliseconds
        /// How often checkpoints and balance are thought of.
        package var maintenanceMilliseconds = RaftHostLimits.maintenanceMilliseconds
        package var seed: UInt64
        /// For tests: instead of `raft-log/`.
        package var logDisk: (any LogDisk)?
        package var segmentBytes = RaftLogLimits.segmentBytes

        package init(me: NodeID, directory: String, groups: [Group], seed: UInt64) {
            self.me = me
            self.directory = directory
            self.groups = groups
            self.seed = seed
            self.raft = RaftConfiguration(id: me)
        }
    }

    package let ranges: [RangeID]
    let handles: [RangeID: GroupHandle]
    let inbox: HostInbox
    let readers: ReaderPool
    let clocks: any Clocks
    let counters: HostCounters
    let receiver: SnapshotReceiver
    let me: NodeID
    let eventLoop: any EventLoop
    private let loop: NIOLoopBoundBox<HostLoop?>
    private let log: LogLane
    private let snapshotThread: DiskThread
    private let sender: SnapshotSender
    private let snapshotJobs: AsyncStream<SnapshotJob>
    private let failures: AsyncStream<RaftHostError>
    private let endOfFailures: AsyncStream<RaftHostError>.Continuation
    private let isClosed = Atomic<Bool>(false)

    fileprivate init(_ parts: Parts) {
        ranges = parts.opened.map(\.range)
        handles = parts.handles
        inbox = parts.inbox
        readers = parts.readers
        clocks = parts.clocks
        counters = parts.counters
        receiver = parts.receiver
        me = parts.me
        eventLoop = parts.eventLoop
        loop = parts.loop
        log = parts.log
        snapshotThread = parts.snapshotThread
        sender = parts.sender
        snapshotJobs = parts.snapshotJobs
        (failures, endOfFailures) = (parts.failures, parts.endOfFailures)
    }

    /// Whether this node leads the group and has applied an entry of its own term.
    package func isLeader(_ range: RangeID) -> Bool { handles[range]?.state.isServing ?? false }

    package var metrics: RaftHostMetrics { counters.value }

    // MARK: Life

    /// Runs the groups until cancelled, then closes everything.
    ///
    /// - Throws: ``RaftHostError`` where it can't go on: the process stops.
    package func run() async throws {
        var failure: RaftHostError?
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [sender, snapshotJobs] in await sender.run(snapshotJobs) }
            for await error in failures {
                failure = error
                break
            }
            group.cancelAll()
        }
        await close()
        if let failure { throw failure }
    }

    /// Ends the groups, answers everybody, makes the stores durable and closes them.
    package func close() async { await end(isClosing: true) }

    /// As a power cut would: for tests. What was not synced is lost, if the disk forgets it.
    package func kill() async { await end(isClosing: false) }

    private func end(isClosing: Bool) async {
        guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
        endOfFailures.finish()
        let loop = loop
        _ = try? await eventLoop.submit {
            loop.value?.end()
            loop.value = nil
        }.get()
        await log.end()
        for range in ranges { await handles[range]?.lane.end(isClosing: isClosing) }
        readers.stop()
        snapshotThread.stop()
    }
}

// MARK: - Opening

/// What a host is made of.
private struct Parts: Sendable {
    var me: NodeID
    var opened: [OpenedGroup]
    var handles: [RangeID: GroupHandle]
    var inbox: HostInbox
    var readers: ReaderPool
    var clocks: any Clocks
    var counters: HostCounters
    var receiver: SnapshotReceiver
    var eventLoop: any EventLoop
    var loop: NIOLoopBoundBox<HostLoop?>
    var log: LogLane
    var snapshotThread: DiskThread
    var sender: SnapshotSender
    var snapshotJobs: AsyncStream<SnapshotJob>
    var endOfJobs: AsyncStream<SnapshotJob>.Continuation
    var failures: AsyncStream<RaftHostError>
    var endOfFailures: AsyncStream<RaftHostError>.Continuation
}

/// A group whose log and state machine agree.
private struct OpenedGroup: Sendable {
    var range: RangeID
    var store: any CatalogueStore
    var recovery: RaftRecovery
    var note: StoreNote
    var applied: LogPosition
}

extension RaftHost {
    /// Opens log and stores, replays what they lack, and starts the groups.
    ///
    /// - Throws: ``RaftHostError`` where the node must not start.
    package static func open(
        _ configuration: Configuration, transport: any RaftTransport, clocks: any Clocks,
        eventLoop: any EventLoop, observer: any ConsensusObserver, logger: Logger
    ) async throws -> RaftHost {
        RaftHostLimits.check()
        let thread = DiskThread(name: "raft-snapshots", jobCountMax: 1_024)
        let (log, opened) = try await thread.run { try openFiles(configuration) }
        let loop = NIOLoopBoundBox<HostLoop?>.makeEmptyBox(
            valueType: HostLoop.self, eventLoop: eventLoop)
        let inbox = HostInbox { eventLoop.execute { loop.value?.drain() } }
        var handles: [RangeID: GroupHandle] = [:]
        for group in opened {
            let lane = ApplyLane(
                range: group.range, store: group.store, note: group.note, inbox: inbox,
                observer: observer)
            handles[group.range] = GroupHandle(range: group.range, lane: lane)
        }
        let (jobs, endOfJobs) = AsyncStream.makeStream(
            of: SnapshotJob.self,
            bufferingPolicy: .bufferingOldest(RaftHostLimits.snapshotJobsMax))
        let (failures, endOfFailures) = AsyncStream.makeStream(
            of: RaftHostError.self, bufferingPolicy: .bufferingOldest(1))
        let directory = configuration.directory + "/snapshots"
        let parts = Parts(
            me: configuration.me, opened: opened, handles: handles, inbox: inbox,
            readers: ReaderPool(count: configuration.readerCount, eventLoop: eventLoop),
            clocks: clocks,
            counters: HostCounters(),
            receiver: SnapshotReceiver(
                directory: directory, ranges: Set(handles.keys), inbox: inbox, thread: thread),
            eventLoop: eventLoop, loop: loop, log: LogLane(log, inbox: inbox),
            snapshotThread: thread,
            sender: SnapshotSender(
                directory: directory, handles: handles, transport: transport, inbox: inbox,
                thread: thread, clocks: clocks, logger: logger),
            snapshotJobs: jobs, endOfJobs: endOfJobs, failures: failures,
            endOfFailures: endOfFailures)
        try await start(parts, configuration, transport, observer, logger)
        return RaftHost(parts)
    }

    /// Blocks.
    private static func openFiles(
        _ configuration: Configuration
    ) throws(RaftHostError) -> (RaftLog, [OpenedGroup]) {
        let snapshots = configuration.directory + "/snapshots"
        let logs = configuration.directory + "/raft-log"
        // Snapshots on their way when the process ended are useless.
        try? FileManager.default.removeItem(atPath: snapshots)
        do {
            for path in [snapshots, logs] {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true)
            }
            try DurableFile.syncDirectory(configuration.directory)
        } catch { throw .directory("\(configuration.directory): \(error)") }
        let log: RaftLog
        do {
            log = try RaftLog(
                disk: configuration.logDisk ?? FileDisk(directory: logs),
                segmentBytes: configuration.segmentBytes, seed: configuration.seed)
        } catch { throw .log(error) }
        var opened: [OpenedGroup] = []
        for group in configuration.groups.sorted(by: { $0.range < $1.range }) {
            let store: any CatalogueStore
            do { store = try group.open() } catch {
                guard let error = error as? CatalogueError else {
                    throw .damaged(group.range, "\(error)")
                }
                throw .catalogue(group.range, error)
            }
            let found = try GroupRecovery(
                range: group.range, first: group.firstMembership ?? .none, store: store, log: log)
            opened.append(
                OpenedGroup(
                    range: group.range, store: store, recovery: found.recovery, note: found.note,
                    applied: found.applied))
        }
        return (log, opened)
    }

    private static func start(
        _ parts: Parts, _ configuration: Configuration, _ transport: any RaftTransport,
        _ observer: any ConsensusObserver, _ logger: Logger
    ) async throws {
        var raft = configuration.raft
        raft.id = configuration.me
        let settings = raft
        try await parts.eventLoop.submit {
            let now = parts.clocks.monotonic
            let groups = parts.opened.compactMap { group -> GroupRunner? in
                guard let handle = parts.handles[group.range] else { return nil }
                let node = RaftNode(
                    configuration: settings, recovery: group.recovery,
                    seed: configuration.seed ^ UInt64(group.range.rawValue)
                        &* 0x9E37_79B9_7F4A_7C15,
                    now: now)
                return GroupRunner(
                    handle: handle, node: node, applied: group.applied,
                    logFirst: group.recovery.firstIndex, policy: configuration.checkpoints,
                    balanceMilliseconds: configuration.balanceMilliseconds, now: now)
            }
            let loop = HostLoop(
                me: configuration.me, groups: groups,
                tickMilliseconds: max(1, settings.heartbeatMilliseconds / 2),
                maintenanceMilliseconds: configuration.maintenanceMilliseconds,
                isBalancing: configuration.isBalancing,
                in: HostLoop.Surroundings(
                    eventLoop: parts.eventLoop, inbox: parts.inbox, log: parts.log,
                    readers: parts.readers, transport: transport, clocks: parts.clocks,
                    observer: observer, logger: logger, snapshots: parts.endOfJobs,
                    counters: parts.counters,
                    fail: { parts.endOfFailures.yield($0) }))
            parts.loop.value = loop
            loop.start(parts.loop)
        }.get()
    }
}
