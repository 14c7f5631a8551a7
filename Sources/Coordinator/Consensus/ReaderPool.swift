import Catalogue
import Core
import NIOCore
import Synchronization

/// The threads that answer questions from the state machines.
final class ReaderPool: Sendable {
    private let threads: [DiskThread]
    private let eventLoop: any EventLoop
    private let next = Atomic<Int>(0)

    /// - Parameter eventLoop: By its clock deadlines pass.
    init(count: Int, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        threads = (0..<count).map {
            DiskThread(
                name: "read-\($0)", jobCountMax: RaftHostLimits.readerJobsMax / count)
        }
    }

    func answer(
        _ query: [UInt8], from store: any CatalogueStore, deadline: NIODeadline,
        done: @escaping ConsensusCompletion
    ) {
        let number = next.wrappingAdd(1, ordering: .relaxed).newValue
        let isQueued = threads[Int(number.magnitude % UInt(threads.count))].offer { [eventLoop] in
            // Nobody waits any more.
            guard deadline > eventLoop.now else { return done(.overloaded) }
            do {
                done(.done(try store.answer(query)))
            } catch {
                done(.uncertain)
            }
        }
        if !isQueued { done(.overloaded) }
    }

    func stop() { for thread in threads { thread.stop() } }
}
