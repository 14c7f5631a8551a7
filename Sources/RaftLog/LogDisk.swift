/// The log's only door to the disk: one directory, synchronous, called on a disk thread.
///
/// ``FileDisk`` makes system calls. ``SimulatedDisk`` keeps bytes in memory, tears writes, flips
/// bits and loses everything that was not synced.
package protocol LogDisk: Sendable {
    /// Names of the files in the directory, in no order.
    func list() throws(DiskError) -> [String]
    /// A new file of `bytes` zero bytes, for which the disk has set room aside. It may be gone
    /// after a power cut until ``syncDirectory()``.
    func create(_ name: String, bytes: Int) throws(DiskError) -> any LogFile
    func open(_ name: String) throws(DiskError) -> any LogFile
    func remove(_ name: String) throws(DiskError)
    /// Makes the names durable.
    func syncDirectory() throws(DiskError)
}

/// One open file; closed when the last reference goes.
package protocol LogFile: Sendable {
    var name: String { get }
    func size() throws(DiskError) -> Int
    /// - Returns: the bytes of the range; fewer where the file ends.
    func read(_ range: Range<Int>) throws(DiskError) -> [UInt8]
    /// Writes all bytes or throws.
    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError)
    /// Makes bytes and size durable (fdatasync).
    func sync() throws(DiskError)
    func truncate(to bytes: Int) throws(DiskError)
}

extension DiskError {
    /// "No space left on device" or "disk quota exceeded".
    package var isFull: Bool { code == SystemCode.noSpace || code == SystemCode.quotaExceeded }
}
