import Core

/// Why a request was not taken. Nothing was done; each says what the caller does next.
package enum RaftError: Error, Hashable, Sendable {
    /// Ask `leader`, or any other member if it isn't known.
    case notLeader(leader: NodeID?)
    /// Too much waits already. Shed the request.
    case overloaded
    /// Leadership is on its way to `to`. Ask that node, shortly.
    case transferring(to: NodeID)
    /// The leader hasn't committed an entry of its term, or the last membership change. Repeat
    /// later.
    case membershipBusy
    /// The change changes nothing, or would leave no voter or too many members. Do not repeat.
    case membershipPointless
    /// Only a voter that isn't the leader can become the leader. Do not repeat.
    case notAnotherVoter
    /// One command exceeds ``RaftLimits/commandBytesMax``. Do not repeat.
    case commandTooLarge
}
