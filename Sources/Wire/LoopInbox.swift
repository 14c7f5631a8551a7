import NIOCore
import Synchronization

/// The way onto an event loop from any thread: what many threads ask in one turn of the loop wakes
/// it once. From the loop itself it runs at once, after what was asked before.
final class LoopInbox: Sendable {
    private struct State {
        var operations: [@Sendable () -> Void] = []
        var isScheduled = false
    }

    let eventLoop: any EventLoop
    private let state = Mutex(State())

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func perform(_ operation: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop {
            drain()
            operation()
            return
        }
        let mustSchedule = state.withLock { state in
            state.operations.append(operation)
            if state.isScheduled { return false }
            state.isScheduled = true
            return true
        }
        if mustSchedule { eventLoop.execute { self.drain() } }
    }

    private func drain() {
        let operations = state.withLock { state in
            state.isScheduled = false
            if state.operations.isEmpty { return [@Sendable () -> Void]() }
            var taken: [@Sendable () -> Void] = []
            swap(&taken, &state.operations)
            return taken
        }
        for operation in operations { operation() }
    }
}
