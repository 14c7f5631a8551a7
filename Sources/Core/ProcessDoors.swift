import CCore
import Synchronization

/// What nodes of one process share, and a simulation puts something else in the place of on the
/// thread that it runs on: so one thread and one seed decide everything there, and other threads of
/// the process notice nothing.
package enum ProcessDoors {
    package struct Replacement: Sendable {
        /// Random bits.
        package var random: @Sendable () -> UInt64
        /// Takes the jobs of the ``DiskThread`` of this name: one after another, in order.
        package var disk: @Sendable (String) -> @Sendable (@escaping DiskThread.Job) -> Void

        package init(
            random: @escaping @Sendable () -> UInt64,
            disk: @escaping @Sendable (String) -> @Sendable (@escaping DiskThread.Job) -> Void
        ) {
            self.random = random
            self.disk = disk
        }
    }

    private static let current = Mutex<Replacement?>(nil)

    /// `nil` on threads that run no simulation.
    package static var replacement: Replacement? {
        dst_simulation() == nil ? nil : current.withLock { $0 }
    }

    /// For all simulations of the process, once: they tell each other apart by their threads.
    package static func replace(with replacement: Replacement) {
        current.withLock { $0 = replacement }
    }
}
