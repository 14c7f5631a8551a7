/// Finds addresses at which coordinators may be. It never says who is alive or who belongs: a
/// candidate is asked, and may be nobody.
package protocol DiscoveryPlugin: Sendable {
    /// - Returns: `host:port` of candidates, in no order, this node's own among them or not.
    /// - Throws: ``DiscoveryError`` where the source can't be asked now; it is asked again.
    func candidates() async throws(DiscoveryError) -> [String]
}

/// The source of candidates gave no answer. The caller goes on with the last one it had.
package enum DiscoveryError: Error, Equatable {
    case unavailable(String)
}
