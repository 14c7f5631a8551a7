import Synchronization

/// What a pool or server has done since it was made; for metrics.
package final class WireCounters: Sendable {
    package let callsReceived = Atomic<Int>(0)
    package let messagesReceived = Atomic<Int>(0)
    /// One-way messages of a method or peer that is not served.
    package let messagesRefused = Atomic<Int>(0)
    package let messagesSent = Atomic<Int>(0)
    /// One-way messages over the bound, or without a connection.
    package let messagesDropped = Atomic<Int>(0)
    package let callsOpened = Atomic<Int>(0)
    package let connectionsMade = Atomic<Int>(0)
    package let connectionsFailed = Atomic<Int>(0)

    init() {}
}
