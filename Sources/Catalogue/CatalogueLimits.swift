import Core

/// Bounds of the catalogue's stores.
package enum CatalogueLimits {
    /// A command is known again for this long by the proposers' clocks; an older one is refused…
    package static let ledgerMilliseconds: Int64 = 10 * 60 * 1000
    /// …or for this many commands of the range, whichever is less.
    package static let ledgerCommandsMax = 1_000_000
    /// Commands between two prunings of the ledger.
    package static let ledgerBlock: Int64 = 256
    /// Proposers' clocks: 1970 to about the year 280,000.
    package static let timeMillisecondsMax: Int64 = 1 << 53

    /// Keys in one DeleteObjects, entries in one answer.
    package static let keysPerCommandMax = 1_000
    package static let entriesPerAnswerMax = 1_000
    package static let partsWithBodiesPerAnswerMax = 100
    /// Chunks of one body: 640 for 5 GiB in whole chunks; a writer may have cut shorter ones.
    package static let chunksPerBodyMax = 8_192
    package static let missingCopiesMax = 64 * 1024
    /// Chunks in one row of the garbage queue, and in one batch of a removed upload (at least one
    /// part each).
    package static let chunksPerGarbageRowMax = 1_024
    /// Chunks in one answer of the garbage queue, at least one row.
    package static let chunksPerGarbageAnswerMax = 8_192
    /// S3: 2 KiB of user metadata, 8 KiB of headers; stored form.
    package static let headBytesMax = 32 << 10
    package static let uploadsPerRangeMax = 1_000_000
    /// A body's description up to this size lies in the row of the head: most objects of one chunk.
    package static let bodyInHeadBytesMax = 256

    /// Nodes the system range remembers, the removed ones included.
    package static let nodeRowsMax = 2 * Limits.nodeCountMax
    package static let bucketsMax = 1_000_000
    package static let bucketNameBytesMax = 63
    package static let accessKeysMax = 10_000
    package static let joinTokensMax = 1000
    /// Join tokens are listed for this long after they have expired.
    static let joinTokenKeptMilliseconds: Int64 = 30 * 86_400_000
    package static let rangesMax = 1_024
    package static let textBytesMax = 255
    /// Deletions kept for the change feed; who is further behind gets the whole state.
    package static let deletionsMax = 4_096

    /// Page caches, filled as needed. A reader's is emptied by every commit, so it stays small.
    package static let writerCacheKiB = 32 << 10
    package static let readerCacheKiB = 4 << 10
    package static let readersMax = 4
    /// The write-ahead log is copied back by `apply` itself beyond this, should nobody else do it.
    package static let writeAheadPagesMax = 32 << 10
    /// Larger files are not read through at open; only their small tables are.
    package static let checkAtOpenBytesMax = 256 << 20

    package static func check() {
        precondition(
            Limits.partBytesMax / Limits.chunkBytesMax <= chunksPerBodyMax, "a part fits one body")
        precondition(
            Limits.inlineBytesMax > bodyInHeadBytesMax, "listings do not read inline bodies")
        precondition(ledgerCommandsMax > Int(ledgerBlock) * 2, "pruning works in blocks")
        precondition(
            chunksPerGarbageRowMax <= chunksPerGarbageAnswerMax, "an answer holds a whole row")
        precondition(nodeRowsMax >= Limits.nodeCountMax, "every living node has a row")
    }
}
