import Core

/// How long a chunk to make for a client that sends at some pace: it must be through well before
/// ``ObjectStoreLimits/chunkWrite``, for as long as it is written its partition cannot move. Pure.
struct ChunkPace: Hashable, Sendable {
    let bytes: Int
    let milliseconds: UInt64

    /// - Parameter bytes: What came between the two times.
    init(bytes: Int, from: MonotonicTime, to: MonotonicTime) {
        self.bytes = bytes
        milliseconds = to.milliseconds - min(to.milliseconds, from.milliseconds)
    }

    /// Plaintext bytes: the longest chunk, halved until it takes no longer than it should, or is as
    /// short as it may be.
    var chunkBytes: Int {
        var size = Limits.chunkBytesMax
        while size > ObjectStoreLimits.chunkBytesMin,
            size * Int(milliseconds) / max(1, bytes) > Int(ObjectStoreLimits.chunkWriteWanted)
        {
            size /= 2
        }
        return size
    }
}
