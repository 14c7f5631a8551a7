import Core
import NIOCore
import Synchronization

/// Wakes those who wait for something to change. Bounded: who comes when it is full does not wait.
final class ChangeSignal: Sendable {
    private struct State {
        var generation: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// To be read before looking at what may change.
    var generation: UInt64 { state.withLock { $0.generation } }

    func raise() {
        let waiters = state.withLock { state in
            state.generation += 1
            let waiters = state.waiters
            state.waiters = [:]
            return waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Waits for a change after `generation`, or for `timeout`.
    func wait(past generation: UInt64, atMost timeout: TimeAmount, on loop: any EventLoop) async {
        let id = state.withLock {
            $0.nextWaiter += 1
            return $0.nextWaiter
        }
        let timer = loop.scheduleTask(in: timeout) { self.release(id) }
        await withCheckedContinuation { continuation in
            let mayWait = state.withLock { state in
                guard state.generation == generation,
                    state.waiters.count < CoordinatorLimits.watchesMax
                else { return false }
                state.waiters[id] = continuation
                return true
            }
            if !mayWait { continuation.resume() }
        }
        timer.cancel()
    }

    private func release(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
}
