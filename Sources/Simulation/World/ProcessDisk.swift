import Core
import Foundation
import RaftLog

/// A machine's disk as one process on it sees it: once the process is dead, what its threads still
/// do fails.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class ProcessDisk: LogDisk, @unchecked Sendable {
    private let disk: any LogDisk
    private var isDead = false

    init(_ disk: any LogDisk) { self.disk = disk }

    func end() { isDead = true }

    fileprivate func check(_ operation: DiskError.Operation, _ file: String) throws(DiskError) {
        if isDead { throw DiskError(operation, file: file, code: EIO) }
    }

    func list() throws(DiskError) -> [String] { try disk.list() }

    func create(_ name: String, bytes: Int) throws(DiskError) -> any LogFile {
        try check(.create, name)
        return ProcessFile(self, try disk.create(name, bytes: bytes))
    }

    func open(_ name: String) throws(DiskError) -> any LogFile {
        ProcessFile(self, try disk.open(name))
    }

    func remove(_ name: String) throws(DiskError) {
        try check(.remove, name)
        try disk.remove(name)
    }

    func syncDirectory() throws(DiskError) {
        try check(.sync, ".")
        try disk.syncDirectory()
    }
}

private final class ProcessFile: LogFile {
    private let disk: ProcessDisk
    private let file: any LogFile
    var name: String { file.name }

    init(_ disk: ProcessDisk, _ file: any LogFile) {
        self.disk = disk
        self.file = file
    }

    func size() throws(DiskError) -> Int {
        try disk.check(.read, name)
        return try file.size()
    }

    func read(_ range: Range<Int>) throws(DiskError) -> [UInt8] {
        try disk.check(.read, name)
        return try file.read(range)
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        try disk.check(.write, name)
        try file.write(bytes, at: offset)
    }

    func sync() throws(DiskError) {
        try disk.check(.sync, name)
        try file.sync()
    }

    func truncate(to bytes: Int) throws(DiskError) {
        try disk.check(.write, name)
        try file.truncate(to: bytes)
    }
}
