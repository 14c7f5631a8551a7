import Core

/// The cloud is about to take this machine away.
package struct LifecycleNotice: Sendable, Equatable {
    package enum Kind: String, Sendable, Equatable {
        /// The group replaces or removes it, and waits for an answer.
        case groupTermination
        /// AWS Spot, Google preemption, Azure eviction: seconds are left, and nobody waits.
        case interruption
        /// Google's graceful shutdown: it waits until the machine powers itself off.
        case stopping
        /// Azure: a restart, a move or a freeze; the machine comes back.
        case maintenance
    }

    package var kind: Kind
    /// The cloud's own words.
    package var detail: String
    /// When it happens at the latest, where the cloud says.
    package var deadline: WallTime?
    /// What an answer names: Azure's event id; empty otherwise.
    package var eventID: String

    package init(kind: Kind, detail: String, deadline: WallTime? = nil, eventID: String = "") {
        self.kind = kind
        self.detail = detail
        self.deadline = deadline
        self.eventID = eventID
    }

    /// Whether the machine and its disks are gone afterwards, so that a drain is worth it.
    package var isFinal: Bool { kind != .maintenance }
}

/// How a drain ended.
package enum LifecycleResult: Sendable, Equatable {
    /// Everything that was here is safe elsewhere.
    case safe
    /// Something is only here.
    case unsafe
}

/// Watches for the end of this machine, and answers. One implementation per cloud.
package protocol LifecycleWatch: Sendable {
    /// Looks once; who asks pauses ``pause`` between two looks.
    ///
    /// - Returns: The most urgent notice; `nil` while the machine may stay.
    func look() async throws(CloudError) -> LifecycleNotice?

    /// Between two looks.
    var pause: Duration { get }

    /// How often ``heartbeat(_:)`` is due while draining; `nil`: this cloud has none.
    var heartbeatPause: Duration? { get }

    /// Says that the drain goes on, so that the cloud waits longer.
    func heartbeat(_ notice: LifecycleNotice) async throws(CloudError)

    /// Lets the machine go, or says that it should not.
    func answer(_ notice: LifecycleNotice, _ result: LifecycleResult) async throws(CloudError)
}
