import Core
import Dispatch
import NIOCore

/// The event loop of one simulated node. Its time is the node's own, drift included.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
package final class SimulatedLoop: EventLoop, @unchecked Sendable {
    let time: SimulatedTime
    private let clocks: SimulatedClocks
    /// Only inside its own work, as on a real loop: what others ask of it takes a turn.
    package private(set) var inEventLoop = false

    package init(_ time: SimulatedTime, clocks: SimulatedClocks) {
        self.time = time
        self.clocks = clocks
    }

    package var now: NIODeadline { .uptimeNanoseconds(clocks.nanoseconds) }

    /// Runs `body` as the loop's own work.
    func turn(_ body: () -> Void) {
        let outer = inEventLoop
        inEventLoop = true
        defer { inEventLoop = outer }
        body()
    }

    package func execute(_ task: @escaping @Sendable () -> Void) {
        time.after(time.moment(upTo: 2_000)) { self.turn(task) }
    }

    package func scheduleTask<Value>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        let promise = makePromise(of: Value.self)
        let state = TimerState()
        let own = clocks.nanoseconds
        let delay = deadline.uptimeNanoseconds > own ? deadline.uptimeNanoseconds - own : 0
        time.after(clocks.worldDuration(delay)) {
            guard !state.isCancelled else { return }
            self.turn {
                do {
                    promise.assumeIsolated().succeed(try task())
                } catch {
                    promise.fail(error)
                }
            }
        }
        return Scheduled(promise: promise, cancellationTask: { state.isCancelled = true })
    }

    package func scheduleTask<Value>(
        in delay: TimeAmount, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        scheduleTask(deadline: now + delay, task)
    }

    package func shutdownGracefully(
        queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
    ) {
        callback(nil)
    }

    package func syncShutdownGracefully() throws {}

    /// Confined, as the loop is.
    private final class TimerState: @unchecked Sendable { var isCancelled = false }
}

extension SimulatedLoop: EventLoopGroup {
    package func next() -> any EventLoop { self }
    package func any() -> any EventLoop { self }
    package func makeIterator() -> EventLoopIterator { EventLoopIterator([self]) }
}
