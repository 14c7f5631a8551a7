import Core
import Messages

/// The cluster's key-encryption keys: the current one seals, the older ones still open.
package struct KeyRing: Sendable {
    /// - Parameters:
    ///   - current: 32 bytes.
    ///   - older: 32 bytes each.
    package init(current: [UInt8], older: [[UInt8]] = []) {
        precondition(current.count == BlockCipher.keyBytes)
        _ = older
    }
}
