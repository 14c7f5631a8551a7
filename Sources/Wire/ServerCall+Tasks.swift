import SwiftProtobuf
import Synchronization

extension ServerCall {
    /// Tasks that answer calls, in the process.
    private static let tasks = Atomic<Int>(0)

    /// Runs `body` in a task, cancelled with the call, and replies what it returns or fails with
    /// what it throws (a ``WireFailure`` as it is, anything else as `internalError`). At most
    /// ``WireLimits/tasksMax`` such tasks run in the process; above, the call fails `overloaded`.
    package func respond<Reply: SwiftProtobuf.Message>(
        _ body: @escaping @Sendable (ServerCall) async throws -> Reply
    ) {
        run { call in call.reply(try await body(call)) }
    }

    /// The same without a unary reply: `body` answers by `startReply` … `finish` itself.
    package func run(_ body: @escaping @Sendable (ServerCall) async throws -> Void) {
        guard Self.tasks.add(1, ordering: .relaxed).newValue <= WireLimits.tasksMax else {
            Self.tasks.subtract(1, ordering: .relaxed)
            fail(WireFailure(.overloaded, "too many calls in progress"))
            return
        }
        let task = Task {
            defer { Self.tasks.subtract(1, ordering: .relaxed) }
            do {
                try await body(self)
            } catch let failure as WireFailure {
                self.fail(failure)
            } catch {
                self.fail(WireFailure(.internalError, "\(error)"))
            }
        }
        onCancel { task.cancel() }
    }
}
