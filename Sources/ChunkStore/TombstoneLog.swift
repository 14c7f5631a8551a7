import Core
import Foundation

/// A place in the tombstone files. The index has one: what earlier records say is in it, and the
/// holes of the extents that they name are on stable storage.
struct TombstonePosition: Hashable, Sendable, Comparable {
    var file: UInt32
    var offset: Int

    static let start = TombstonePosition(file: 0, offset: 0)

    static func < (left: Self, right: Self) -> Bool {
        (left.file, left.offset) < (right.file, right.offset)
    }
}

/// The durable list of what was deleted: files of fixed size, filled one after another. Each begins
/// with a ``SegmentHeader`` of kind 0, then come ``TombstoneRecord``s. One empty file is kept
/// ahead, so that a disk without room takes deletes still: at least as many as fill a file. Used
/// from one thread at a time.
struct TombstoneLog {
    /// Of the files. Version 1 had shorter records; such files are read and not added to.
    static let version: UInt16 = 2

    private let disk: any ChunkDisk
    private let store: StorageIdentity
    private let fileBytes: Int
    private var file: (any ChunkFile)?
    /// The next file, empty.
    private var spare: (number: UInt32, file: any ChunkFile)?
    /// Where the next record goes.
    private(set) var end: TombstonePosition
    /// Files that are there, but the spare, with the time of their newest record; oldest first.
    private(set) var files: [(number: UInt32, newest: Int64)] = []

    static func fileName(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return "deleted-" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    static func number(ofFile name: String) -> UInt32? {
        guard name.utf8.count == 16, let number = UInt32(name.dropFirst(8), radix: 16),
            ChunkStoreLimits.fileNumbers.contains(number), fileName(number) == name
        else { return nil }
        return number
    }

    init(disk: any ChunkDisk, store: StorageIdentity, fileBytes: Int) {
        self.disk = disk
        self.store = store
        self.fileBytes = fileBytes
        end = .start
    }

    /// Records that fit one file, hence one group.
    var recordsPerFile: Int { (fileBytes - SegmentHeader.byteCount) / TombstoneRecord.byteCount }

    // MARK: Adding

    /// Appends and syncs: what the records say is so for good when this returns.
    ///
    /// - Parameter records: At most ``recordsPerFile``.
    /// - Throws: ``DiskError/full`` before anything was written; other errors poison the store.
    mutating func append(_ records: [TombstoneRecord]) throws(DiskError) {
        let bytes = records.count * TombstoneRecord.byteCount
        precondition(records.count <= recordsPerFile, "a group fits one file")
        if file == nil || end.offset + bytes > fileBytes { try rotate() }
        guard let file else { preconditionFailure("a file was made") }
        var writer = RecordWriter(capacity: bytes)
        for record in records { record.append(to: &writer) }
        try file.write(writer.bytes, at: end.offset)
        if !Mutation.isOn(.tombstoneUnsynced) { try file.sync() }
        end.offset += bytes
        let newest = records.map(\.milliseconds).max() ?? 0
        files[files.count - 1].newest = max(files[files.count - 1].newest, newest)
    }

    /// Makes the file in use and the one after it, where they are not there.
    ///
    /// - Throws: ``DiskError/full``: what is there serves on; call it again.
    mutating func prepare() throws(DiskError) {
        if file == nil { try rotate() }
        if spare == nil {
            let number = end.file + 1
            spare = (number, try make(number))
        }
    }

    private mutating func rotate() throws(DiskError) {
        let number = spare?.number ?? max(files.last?.number ?? 0, end.file) + 1
        if let spare { file = spare.file } else { file = try make(number) }
        spare = nil
        end = TombstonePosition(file: number, offset: SegmentHeader.byteCount)
        files.append((number, 0))
    }

    private func make(_ number: UInt32) throws(DiskError) -> any ChunkFile {
        let file = try disk.create(Self.fileName(number), bytes: fileBytes)
        let header = SegmentHeader(
            kind: nil, number: number, store: store, identity: StorageIdentity(high: 0, low: 0),
            bytes: fileBytes, version: Self.version)
        try file.write(header.encoded(), at: 0)
        try file.sync()
        return file
    }

    // MARK: Opening

    /// A file as it was found.
    private struct Found {
        let number: UInt32
        let file: any ChunkFile
        /// Whether records may be added.
        let isOpen: Bool
        var newest: Int64 = 0
        /// After its last record; `nil` if nothing was ever written there.
        var end: Int?
    }

    /// Reads what is on disk and goes on after it.
    ///
    /// - Parameters:
    ///   - position: The index has what comes before.
    ///   - found: Takes each record in order, and whether it is after the position; what it gets
    ///     is on stable storage.
    /// - Returns: Records that are damaged although others follow them.
    /// - Throws: ``RecoveryProblem`` for a file of another version.
    mutating func recover(
        numbers: [UInt32], from position: TombstonePosition,
        found: (TombstoneRecord, _ isNew: Bool) throws -> Void
    ) throws -> Int {
        var damaged = 0
        var all: [Found] = []
        for number in numbers.sorted() {
            // A process that died may have left it in memory alone.
            let file = try disk.open(Self.fileName(number))
            if number >= position.file { try file.sync() }
            let size = try file.size()
            let bytes = try file.read(
                0..<min(size, max(fileBytes, ChunkStoreLimits.tombstoneFileBytes)))
            let isOpen = try isOurs(bytes, number) && size >= fileBytes
            var one = Found(number: number, file: file, isOpen: isOpen)
            damaged += try Self.read(bytes, of: &one, after: position, found: found)
            all.append(one)
        }
        try goOn(after: all, position)
        return damaged
    }

    /// - Returns: Whether the header is good and of the version that is written now.
    private func isOurs(_ bytes: [UInt8], _ number: UInt32) throws -> Bool {
        do throws(HeaderProblem) {
            let header = try SegmentHeader.decode(bytes, versions: 1...Self.version)
            return header.store == store && header.number == number
                && header.version == Self.version
        } catch .unknownVersion(let version) {
            throw RecoveryProblem.unknownVersion(file: Self.fileName(number), version: version)
        } catch {
            // Its creation was cut off, or it is damaged: the records speak for themselves by
            // their checksums.
            return false
        }
    }

    /// The last file with records is the one in use; one after it is the spare.
    private mutating func goOn(
        after all: [Found], _ position: TombstonePosition
    ) throws(DiskError) {
        let used = all.lastIndex { $0.end != nil } ?? -1
        for one in all[..<(used + 1)] { files.append((one.number, one.newest)) }
        if used >= 0 {
            let last = all[used]
            end = TombstonePosition(file: last.number, offset: last.end!)
            file = last.isOpen ? last.file : nil
        }
        // Records of files that were lost, or that are damaged, were in the index: new ones must
        // come after them.
        if end < position {
            if end.file != position.file { file = nil }
            end = position
        }
        for one in all[(used + 1)...] {
            if one.isOpen, spare == nil, one.number > end.file {
                spare = (one.number, one.file)
            } else {
                try disk.remove(Self.fileName(one.number))
            }
        }
        // What made the first file may have died before its first record.
        if file == nil, spare != nil { try rotate() }
    }

    private static func read(
        _ bytes: [UInt8], of file: inout Found, after position: TombstonePosition,
        found: (TombstoneRecord, Bool) throws -> Void
    ) throws -> Int {
        var suspects = 0
        var damaged = 0
        var offset = SegmentHeader.byteCount
        let step = TombstoneRecord.byteCountOfVersion1
        while offset + step <= bytes.count {
            let blank = blankBytes(bytes, at: offset)
            if blank > 0 {
                suspects += blank / step
                offset += blank
                continue
            }
            let result = bytes.withUnsafeBytes { raw in
                Result { () throws(HeaderProblem) in
                    try TombstoneRecord.decode(raw.part(offset..<raw.count))
                }
            }
            switch result {
            case .success(let (record, count)):
                damaged += suspects
                suspects = 0
                offset += count
                file.end = offset
                file.newest = max(file.newest, record.milliseconds)
                let place = TombstonePosition(file: file.number, offset: offset)
                try found(record, place > position)
            case .failure:
                suspects += 1
                offset += step
            }
        }
        return damaged
    }

    /// - Returns: Bytes of the page that begins there, if all are zeros: most of a file is, and to
    ///   look at each record's place takes long.
    private static func blankBytes(_ bytes: [UInt8], at offset: Int) -> Int {
        let page = ChunkStoreLimits.alignment
        guard offset % page == 0, offset + page <= bytes.count else { return 0 }
        return bytes.withUnsafeBytes { raw in
            let start = raw.baseAddress! + offset
            return raw[offset] == 0 && memcmp(start, start + 1, page - 1) == 0 ? page : 0
        }
    }

    // MARK: Expiry

    /// Files whose records are all older than `cutoff` and before `position`; never the one in use.
    func expired(before cutoff: Int64, _ position: TombstonePosition) -> [UInt32] {
        files.dropLast().filter { $0.newest < cutoff && $0.number < position.file }.map(\.number)
    }

    /// Chunks that a file says are deleted.
    func deleted(inFile number: UInt32) throws -> [ChunkID] {
        let file = try disk.open(Self.fileName(number))
        let bytes = try file.read(
            0..<min(try file.size(), max(fileBytes, ChunkStoreLimits.tombstoneFileBytes)))
        var chunks: [ChunkID] = []
        var found = Found(number: number, file: file, isOpen: false)
        _ = try Self.read(bytes, of: &found, after: .start) { record, _ in
            if record.kind == .deleted { chunks.append(record.chunk) }
        }
        return chunks
    }

    mutating func removeFile(_ number: UInt32) throws(DiskError) {
        try disk.remove(Self.fileName(number))
        files.removeAll { $0.number == number }
    }
}

/// Why a store can't be opened.
enum RecoveryProblem: Error, Equatable {
    case unknownVersion(file: String, version: UInt16)
}
