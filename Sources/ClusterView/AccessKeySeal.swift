import Core

/// What the secrets of access keys are sealed with in the catalogue. Derived, so that a gateway can
/// have it without the cluster's secret.
package enum AccessKeySeal {
    /// - Parameter clusterSecrets: `CLUSTER_SECRET`, the current one first, one or two.
    /// - Returns: One key of 32 bytes each.
    package static func keys(of clusterSecrets: [[UInt8]]) -> [[UInt8]] {
        clusterSecrets.map { HMACSHA256.derive(from: $0, info: "dst access keys v1") }
    }
}
