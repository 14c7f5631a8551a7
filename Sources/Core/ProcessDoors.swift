import Synchronization

/// What all of a process shares and a simulation puts something else in the place of, once, before
/// anything runs: then one thread and one seed decide everything.
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

    /// `nil` outside simulations.
    package static var replacement: Replacement? { current.withLock { $0 } }

    /// For the rest of the process.
    package static func replace(with replacement: Replacement) {
        current.withLock { current in
            precondition(current == nil, "there is one simulation in a process")
            current = replacement
        }
    }
}
