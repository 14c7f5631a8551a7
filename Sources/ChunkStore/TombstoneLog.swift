import Core

/// A chunk that was deleted for good, or dropped from this node alone. Little-endian.
///
/// | offset | bytes | field    |                                |
/// |-------:|------:|----------|--------------------------------|
/// |      0 |     4 | checksum | CRC-32C of bytes 4..<32        |
/// |      4 |     4 | mark     | "DSTT" deleted, "DSTD" dropped |
/// |      8 |     8 | time     | milliseconds since 1970, UTC   |
/// |     16 |    16 | chunk    | id, big-endian                 |
struct TombstoneRecord: Equatable, Sendable {
    static let byteCount = 32

    enum Kind: UInt32, Sendable {
        /// The chunk can't come back.
        case deleted = 0x5454_5344
        /// This node's copy went, since the chunk belongs elsewhere now; it may come back.
        case dropped = 0x4454_5344
    }

    let kind: Kind
    let chunk: ChunkID
    let milliseconds: Int64

    func append(to writer: inout RecordWriter) {
        let start = writer.bytes.count
        writer.append(UInt32(0))
        writer.append(kind.rawValue)
        writer.append(milliseconds)
        writer.append(chunk.bytes)
        let checksum = writer.bytes.withUnsafeBytes {
            CRC32C.of($0.part(start + 4..<start + Self.byteCount))
        }
        writer.put(checksum, at: start)
    }

    static func decode(_ raw: UnsafeRawBufferPointer) throws(HeaderProblem) -> TombstoneRecord {
        let checksum: UInt32 = raw.value(at: 0)
        let mark: UInt32 = raw.value(at: 4)
        if checksum == 0, mark == 0 { throw .blank }
        guard let kind = Kind(rawValue: mark), checksum == CRC32C.of(raw.part(4..<byteCount))
        else { throw .damaged }
        return TombstoneRecord(
            kind: kind, chunk: ChunkID(bytes: raw.part(16..<32))!, milliseconds: raw.value(at: 8))
    }
}

/// A place in the tombstone files: everything before it is in the index.
struct TombstonePosition: Hashable, Sendable, Comparable {
    var file: UInt32
    var offset: Int

    static let start = TombstonePosition(file: 0, offset: 0)

    static func < (left: Self, right: Self) -> Bool {
        (left.file, left.offset) < (right.file, right.offset)
    }
}

/// The durable list of what was deleted: files of fixed size, filled one after another. The first
/// record's place of each file holds a ``SegmentHeader`` of kind 0 (two records long). Used from
/// one thread at a time.
struct TombstoneLog {
    private let disk: any ChunkDisk
    private let store: StorageIdentity
    private var file: (any ChunkFile)?
    /// Where the next record goes.
    private(set) var end: TombstonePosition
    /// Files that are there, with the time of their newest record; oldest first.
    private(set) var files: [(number: UInt32, newest: Int64)] = []

    static func fileName(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return "deleted-" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    static func number(ofFile name: String) -> UInt32? {
        guard name.hasPrefix("deleted-"), name.utf8.count == 16 else { return nil }
        return UInt32(name.dropFirst(8), radix: 16)
    }

    init(disk: any ChunkDisk, store: StorageIdentity) {
        self.disk = disk
        self.store = store
        end = .start
    }

    /// Appends and syncs: the chunks are deleted for good when this returns.
    ///
    /// - Throws: ``DiskError/full`` before anything was written; other errors poison the store.
    mutating func append(_ records: [TombstoneRecord]) throws(DiskError) {
        let bytes = records.count * TombstoneRecord.byteCount
        precondition(
            bytes <= ChunkStoreLimits.tombstoneFileBytes - SegmentHeader.byteCount,
            "a group fits one file")
        // All in one file: a group is there as a whole or not at all.
        if file == nil || end.offset + bytes > ChunkStoreLimits.tombstoneFileBytes { try rotate() }
        var writer = RecordWriter(capacity: bytes)
        for record in records { record.append(to: &writer) }
        try file!.write(writer.bytes, at: end.offset)
        try file!.sync()
        end.offset += bytes
        let newest = records.map(\.milliseconds).max() ?? 0
        files[files.count - 1].newest = max(files[files.count - 1].newest, newest)
    }

    /// Makes durable what recovery found: a process that died may have left it in memory alone.
    func sync() throws(DiskError) { try file?.sync() }

    private mutating func rotate() throws(DiskError) {
        let number = (files.last?.number ?? end.file) + 1
        let next = try disk.create(
            Self.fileName(number), bytes: ChunkStoreLimits.tombstoneFileBytes)
        let header = SegmentHeader(
            kind: nil, number: number, store: store, identity: StorageIdentity(high: 0, low: 0),
            bytes: ChunkStoreLimits.tombstoneFileBytes)
        try next.write(header.encoded(), at: 0)
        file = next
        end = TombstonePosition(file: number, offset: SegmentHeader.byteCount)
        files.append((number, 0))
    }

    /// Reads what is on disk, from `position` on, and goes on after it.
    ///
    /// - Parameter found: Each tombstone in order.
    /// - Returns: Records that are damaged although others follow them.
    /// - Throws: ``RecoveryProblem`` for a file of another store or version.
    mutating func recover(
        numbers: [UInt32], from position: TombstonePosition,
        found: (TombstoneRecord) throws -> Void
    ) throws -> Int {
        var damaged = 0
        for number in numbers.sorted() {
            let file = try disk.open(Self.fileName(number))
            let bytes = try file.read(0..<ChunkStoreLimits.tombstoneFileBytes)
            end = TombstonePosition(file: number, offset: SegmentHeader.byteCount)
            self.file = file
            files.append((number, 0))
            do throws(HeaderProblem) {
                let header = try SegmentHeader.decode(bytes)
                guard header.store == store, header.number == number else {
                    throw HeaderProblem.damaged
                }
            } catch .unknownVersion(let version) {
                throw RecoveryProblem.unknownVersion(
                    file: Self.fileName(number), version: version)
            } catch {
                // The header was not synced yet, so no record was either: or it is damaged, and
                // the records speak for themselves by their checksums.
            }
            damaged += try read(bytes, after: position, found: found)
        }
        // A file whose creation was cut off may be short: the next record goes into a new one.
        if let file, try file.size() < ChunkStoreLimits.tombstoneFileBytes { self.file = nil }
        return damaged
    }

    private mutating func read(
        _ bytes: [UInt8], after position: TombstonePosition,
        found: (TombstoneRecord) throws -> Void
    ) throws -> Int {
        var suspects = 0
        var damaged = 0
        var offset = SegmentHeader.byteCount
        while offset + TombstoneRecord.byteCount <= bytes.count {
            let record = bytes.withUnsafeBytes { raw in
                Result { () throws(HeaderProblem) in
                    try TombstoneRecord.decode(
                        raw.part(offset..<offset + TombstoneRecord.byteCount))
                }
            }
            offset += TombstoneRecord.byteCount
            switch record {
            case .success(let record):
                damaged += suspects
                suspects = 0
                end.offset = offset
                files[files.count - 1].newest = max(
                    files[files.count - 1].newest, record.milliseconds)
                if TombstonePosition(file: end.file, offset: offset) > position {
                    try found(record)
                }
            case .failure: suspects += 1
            }
        }
        return damaged
    }

    /// Files whose tombstones are all older than `cutoff`; never the one in use.
    func expired(before cutoff: Int64) -> [UInt32] {
        files.dropLast().filter { $0.newest < cutoff }.map(\.number)
    }

    func chunks(inFile number: UInt32) throws -> [ChunkID] {
        let bytes = try disk.open(Self.fileName(number)).read(
            0..<ChunkStoreLimits.tombstoneFileBytes)
        return stride(
            from: SegmentHeader.byteCount, to: bytes.count - TombstoneRecord.byteCount + 1,
            by: TombstoneRecord.byteCount
        ).compactMap { offset in
            bytes.withUnsafeBytes { raw in
                try? TombstoneRecord.decode(raw.part(offset..<offset + TombstoneRecord.byteCount))
                    .chunk
            }
        }
    }

    mutating func removeFile(_ number: UInt32) throws(DiskError) {
        try disk.remove(Self.fileName(number))
        files.removeAll { $0.number == number }
    }
}

/// Why a store can't be opened.
enum RecoveryProblem: Error, Equatable {
    case unknownVersion(file: String, version: UInt16)
    case otherStore(file: String)
}
