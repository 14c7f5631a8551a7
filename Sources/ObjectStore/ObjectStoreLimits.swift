import Core

/// Limits of the operations on objects, and how they relate.
package enum ObjectStoreLimits {
    /// Sealed blocks that one fetch brings into memory, at most.
    package static let fetchBlocksMax = 16
    /// Keys in one deleteMany; entries in one page of a list.
    package static let pageEntriesMax = 1000

    package static func check() {
        precondition(fetchBlocksMax >= 1, "a fetch brings something")
        precondition(
            fetchBlocksMax * Limits.blockBytes <= Limits.chunkBytesMax,
            "a fetch stays within one chunk")
    }
}
