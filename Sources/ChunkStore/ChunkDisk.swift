import Core

/// The only door to the disk, but for the index, which is SQLite's. Synchronous; called on disk
/// threads. ``FileDisk`` makes system calls; the tests have one that keeps bytes in memory, tears
/// writes and loses everything that was not synced.
package protocol ChunkDisk: Sendable {
    /// Names of the files in the directory; without those that are not ours.
    func list() throws(DiskError) -> [String]
    /// Opens a file that is there.
    func open(_ name: String) throws(DiskError) -> any ChunkFile
    /// Makes a file of `bytes` zeros, with its space where that is possible. Its name and size are
    /// durable when this returns. A file of the name that is there already is replaced.
    func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile
    /// Removes the file, for good when this returns. Readers that have it open go on.
    func remove(_ name: String) throws(DiskError)
    /// Bytes that the file system can still give.
    func freeBytes() throws(DiskError) -> Int
}

/// One open file; closed when nobody holds it.
package protocol ChunkFile: AnyObject, Sendable {
    func size() throws(DiskError) -> Int
    /// Writes the pieces one after another from `offset` on.
    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int) throws(DiskError)
    /// - Returns: Bytes read; fewer than wanted only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DiskError) -> Int
    /// The same for what needs no waiting; `false` otherwise, with the buffer's content undefined.
    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool
    /// Everything written is on stable storage when this returns.
    func sync() throws(DiskError)
    /// Writes whole pages from memory that begins at a page: past the page cache where the file
    /// system can, and from then on read from the disk.
    func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError)
    /// Frees the space of the range, which reads as zeros from then on.
    func punch(_ range: Range<Int>) throws(DiskError)
    func truncate(to bytes: Int) throws(DiskError)
    /// Where bytes begin that are not a hole, at or after `offset`; `nil` if there are none.
    func nextData(from offset: Int) throws(DiskError) -> Int?
}

/// Why the disk did not do it.
package enum DiskError: Error, Equatable {
    /// No space left, or the quota is used up. Nothing else is wrong.
    case full
    case notFound(String)
    /// Everything else; after a failed write or sync nothing may be acknowledged any more.
    case failed(String)
}

extension ChunkFile {
    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(DiskError) in try write([raw], at: offset) }
        }
        try result.get()
    }

    /// - Returns: What is there of the range.
    func read(_ range: Range<Int>) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(DiskError) {
                count = try read(
                    into: UnsafeMutableRawBufferPointer(
                        start: buffer.baseAddress, count: range.count), at: range.lowerBound)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
