import CCore
import CTasks
import Core
import DequeModule
import Synchronization

/// The one thread of a simulated world: what is ready runs, and where nothing is, time jumps to
/// what is planned next. Tasks of Swift run here, work of event loops, and jobs of disk threads.
///
/// `@unchecked Sendable`: confined to the thread that calls ``run(until:)``; closures that are
/// `Sendable` for the sake of real threads reach it there only.
package final class SimulatedTime: @unchecked Sendable {
    /// Nanoseconds since the world began.
    package private(set) var now: UInt64 = 0
    package var random: SeededRandom
    /// Nanoseconds that each job of a node's disk takes longer, at most.
    var slowDisks: [String: UInt64] = [:]
    /// The node whose code makes disk threads; it goes with tasks and with disk threads' jobs.
    @TaskLocal static var owner = ""
    /// Jobs and events that ran.
    package private(set) var stepCount = 0
    /// Too much happened without time passing: something waits by asking again at once.
    package private(set) var isSpinning = false
    private var stepsAtOnce = 0
    private static let stepsAtOnceMax = 1_000_000
    /// What is planned, or ready, at most: more of it piles up without a limit somewhere.
    private static let plannedMax = 500_000
    private(set) var isOverfull = false
    private var planned = EventQueue<@Sendable () -> Void>()
    private var ready = Deque<UnsafeMutableRawPointer>()

    package init(seed: UInt64) {
        Self.prepareProcess()
        random = SeededRandom(seed: seed)
    }

    /// Milliseconds, as nanoseconds.
    package static func milliseconds(_ count: UInt64) -> UInt64 { count * 1_000_000 }

    /// Runs `body` `delay` nanoseconds from now, after what was planned before for that time.
    package func after(_ delay: UInt64, _ body: @escaping @Sendable () -> Void) {
        planned.add(body, at: now + delay)
    }

    package func soon(_ body: @escaping @Sendable () -> Void) { after(0, body) }

    /// A moment that work takes: drawn, so that the order of what happens at about the same time
    /// differs between seeds.
    package func moment(upTo nanoseconds: UInt64) -> UInt64 {
        .random(in: 1...nanoseconds, using: &random)
    }

    /// Runs until `end`, or until `isDone` says so after a step.
    ///
    /// - Returns: Whether `isDone` ended it.
    @discardableResult
    package func run(until end: UInt64, isDone: () -> Bool = { false }) -> Bool {
        let outer = dst_simulation()
        dst_set_simulation(Unmanaged.passUnretained(self).toOpaque())
        defer { dst_set_simulation(outer) }
        while true {
            if let job = ready.popFirst() {
                stepCount += 1
                stepsAtOnce += 1
                if stepsAtOnce > Self.stepsAtOnceMax {
                    isSpinning = true
                    return false
                }
                dst_task_run(job)
                continue
            }
            if isDone() { return true }
            if planned.count > Self.plannedMax { isOverfull = true }
            guard let next = planned.nextTime, next <= end, let event = planned.removeFirst()
            else {
                now = max(now, end)
                return false
            }
            if event.time > now { stepsAtOnce = 0 }
            now = max(now, event.time)
            stepCount += 1
            event.event()
        }
    }

    /// Forgets all that is planned: nothing happens any more.
    func clear() {
        planned = EventQueue()
        ready = []
    }

    /// Does something in the world from outside, without time passing: what starts tasks must be
    /// here.
    package func perform<Value>(_ body: () throws -> Value) rethrows -> Value {
        let outer = dst_simulation()
        dst_set_simulation(Unmanaged.passUnretained(self).toOpaque())
        defer { dst_set_simulation(outer) }
        return try body()
    }

    // MARK: The process

    private static let isPrepared = Mutex(false)

    private static var running: SimulatedTime? {
        dst_simulation().map { Unmanaged<SimulatedTime>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func prepareProcess() {
        isPrepared.withLock { isPrepared in
            guard !isPrepared else { return }
            isPrepared = true
            dst_tasks_take { simulation, job in
                guard let simulation, let job else { return }
                Unmanaged<SimulatedTime>.fromOpaque(simulation).takeUnretainedValue()
                    .ready.append(job)
            }
            ProcessDoors.replace(
                with: ProcessDoors.Replacement(
                    random: { running?.random.next() ?? 0 },
                    disk: { _ in
                        let lane = SimulatedLane(running)
                        return { lane.add($0) }
                    }))
        }
    }
}

/// A disk thread's jobs, in order, each after a moment.
private final class SimulatedLane: @unchecked Sendable {
    private let time: SimulatedTime?
    private let owner = SimulatedTime.owner
    private var jobs = Deque<DiskThread.Job>()
    private var isBusy = false

    init(_ time: SimulatedTime?) { self.time = time }

    func add(_ job: @escaping DiskThread.Job) {
        jobs.append(job)
        if !isBusy { plan() }
    }

    private func plan() {
        guard let time, !jobs.isEmpty else { return }
        isBusy = true
        let slowness = time.slowDisks[owner] ?? 0
        time.after(time.moment(upTo: 200_000 + slowness)) {
            self.isBusy = false
            if let job = self.jobs.popFirst() {
                SimulatedTime.$owner.withValue(self.owner) { job() }
            }
            if !self.isBusy { self.plan() }
        }
    }
}
