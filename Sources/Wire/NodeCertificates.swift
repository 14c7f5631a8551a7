import Core

/// The certificates and trusted authorities of one node. Renews its own certificate in time;
/// connections that stand are not touched.
package final class NodeCertificates: Sendable {
    package let identity: PeerIdentity

    /// - Parameter secrets: CLUSTER_SECRET, 32 bytes or more each: the first issues this node's
    ///   certificate, all are trusted. One or two.
    package init(
        identity: PeerIdentity, secrets: [[UInt8]], clocks: any Clocks = SystemClocks()
    ) throws(TrustError) {
        self.identity = identity
    }
}

/// Why there are no certificates.
package enum TrustError: Error, Hashable, Sendable {
    /// The secret is too short, or there is none. The operator sets CLUSTER_SECRET.
    case badSecret(String)
    /// The library refused; a defect.
    case certificateFailed(String)
}
