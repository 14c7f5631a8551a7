import CCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One thread for calls that block (system calls on files, SQLite), with a queue that can refuse.
///
/// Jobs run one after another in the order they were offered. The thread takes all that waits in
/// one wake-up, so a job can look at what came with it by keeping its own list (group commit).
package final class DiskThread: Sendable {
    package typealias Job = @Sendable () -> Void

    private struct State {
        var jobs: [Job] = []
        /// In a simulation: those that wait there.
        var simulatedCount = 0
        var isStopped = false
        var isStarted = false
    }

    // pthread's own objects: shared by design, allocated in `init`, freed in `deinit`.
    private nonisolated(unsafe) let lock: UnsafeMutablePointer<pthread_mutex_t>
    private nonisolated(unsafe) let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private let state = Mutex(State())
    private let jobCountMax: Int
    /// Instead of a thread.
    private let simulated: (@Sendable (@escaping Job) -> Void)?
    package let name: String

    /// - Parameters:
    ///   - name: Shown by `top -H`; the first 15 bytes count.
    ///   - jobCountMax: Jobs that may wait; more are refused.
    package init(name: String, jobCountMax: Int) {
        precondition(jobCountMax > 0)
        self.name = name
        self.jobCountMax = jobCountMax
        simulated = ProcessDoors.replacement?.disk(name)
        lock = .allocate(capacity: 1)
        wakeUp = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wakeUp, nil)
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        pthread_mutex_destroy(lock)
        wakeUp.deallocate()
        lock.deallocate()
    }

    /// Queues `job`.
    ///
    /// - Returns: `false` when the queue is full or the thread was stopped; the caller sheds the
    ///   work (`SlowDown`).
    package func offer(_ job: @escaping Job) -> Bool {
        if let simulated { return offer(job, to: simulated) }
        enum Outcome { case refused, queued, first, start }
        let outcome = state.withLock { state -> Outcome in
            if state.isStopped || state.jobs.count >= jobCountMax { return .refused }
            state.jobs.append(job)
            if !state.isStarted {
                state.isStarted = true
                return .start
            }
            return state.jobs.count == 1 ? .first : .queued
        }
        switch outcome {
        case .refused: return false
        case .queued: return true
        case .first: signal()
        case .start: start()
        }
        return true
    }

    private func offer(
        _ job: @escaping Job, to simulated: @Sendable (@escaping Job) -> Void
    ) -> Bool {
        let isTaken = state.withLock { state in
            if state.isStopped || state.simulatedCount >= jobCountMax { return false }
            state.simulatedCount += 1
            return true
        }
        guard isTaken else { return false }
        simulated {
            self.state.withLock { $0.simulatedCount -= 1 }
            job()
        }
        return true
    }

    /// Runs `body` on the thread and answers its result.
    ///
    /// - Throws: ``DiskThreadError/overloaded`` when the queue is full, or what `body` throws.
    package func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isQueued = offer { continuation.resume(with: Result { try body() }) }
            if !isQueued { continuation.resume(throwing: DiskThreadError.overloaded) }
        }
    }

    /// Refuses new jobs; those that wait still run, then the thread ends.
    package func stop() {
        state.withLock { $0.isStopped = true }
        signal()
    }

    private func signal() {
        pthread_mutex_lock(lock)
        pthread_cond_signal(wakeUp)
        pthread_mutex_unlock(lock)
    }

    private func start() {
        let context = Unmanaged.passRetained(self).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let result = pthread_create(
            &thread, nil,
            { context in
                #if canImport(Darwin)
                    let raw: UnsafeMutableRawPointer = context
                #else
                    let raw: UnsafeMutableRawPointer = context!
                #endif
                Unmanaged<DiskThread>.fromOpaque(raw).takeRetainedValue().loop()
                return nil
            }, context)
        precondition(result == 0, "no thread for \(name): the process is out of threads")
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    private func loop() {
        dst_name_thread(name)
        while let jobs = next() {
            for job in jobs { job() }
        }
    }

    /// All waiting jobs; `nil` once stopped and empty.
    private func next() -> [Job]? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            let (jobs, isStopped) = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                return (jobs, state.isStopped)
            }
            if !jobs.isEmpty { return jobs }
            if isStopped { return nil }
            pthread_cond_wait(wakeUp, lock)
        }
    }
}

/// Why a disk thread did not run a job.
package enum DiskThreadError: Error, Equatable {
    /// The queue is full or the thread is stopping. The caller answers `SlowDown`.
    case overloaded
}
