import Core
import Raft

/// Reads the segments of a directory back into memory. Changes nothing but to remove a last
/// segment whose creation was cut short.
struct LogRecovery {
    private(set) var groups: [RangeID: GroupLog] = [:]
    private(set) var segments: [Segment] = []
    private let disk: any LogDisk

    init(disk: any LogDisk) throws(RaftLogError) {
        self.disk = disk
        let numbers = try attempt { () throws(DiskError) in try disk.list() }
            .compactMap(Segment.number(ofName:)).sorted()
        for (number, next) in zip(numbers, numbers.dropFirst()) where next != number + 1 {
            throw .corrupt(file: Segment.name(number + 1), offset: 0, what: "the file is missing")
        }
        for number in numbers { try read(number, isLast: number == numbers.last) }
        try checkGroups()
    }

    // MARK: One segment

    private mutating func read(_ number: UInt32, isLast: Bool) throws(RaftLogError) {
        let name = Segment.name(number)
        let file = try attempt { () throws(DiskError) in try disk.open(name) }
        var reader = try attempt { () throws(DiskError) in try SegmentReader(file) }
        let first = try attempt { () throws(DiskError) in try reader.record(at: 0, salt: nil) }
        guard let first else {
            try discard(number, &reader, isLast: isLast)
            return
        }
        let head = try checkHead(first, number: number)
        if let before = segments.last, before.end != Int(head.endBefore) {
            throw .corrupt(
                file: before.file.name, offset: before.end,
                what: "a record is bad; the segment should end at \(head.endBefore)")
        }
        let salt = first.header.salt
        try replay(first, number: number, from: SegmentHead.byteCount)
        var end = first.bytes.count
        while true {
            let offset = end
            let record = try attempt { () throws(DiskError) in
                try reader.record(at: offset, salt: salt)
            }
            guard let record else { break }
            if isLast, Mutation.isOn(.loseLastLogRecord) {
                let behind = try attempt { () throws(DiskError) in
                    try reader.record(at: offset + record.bytes.count, salt: salt)
                }
                if behind == nil { break }
            }
            try checkVersion(record, name: name)
            guard record.header.kind == RecordHeader.Kind.batch.rawValue else {
                throw .corrupt(file: name, offset: end, what: "a head in the middle")
            }
            try replay(record, number: number, from: 0)
            end += record.bytes.count
        }
        if isLast { try checkTail(&reader, at: end, salt: salt) }
        segments.append(Segment(number: number, file: file, salt: salt, end: end))
    }

    private func checkVersion(
        _ record: SegmentReader.Record, name: String
    ) throws(RaftLogError) {
        guard record.header.version == RecordHeader.version else {
            throw .unsupportedVersion(file: name, version: Int(record.header.version))
        }
    }

    private func checkHead(
        _ record: SegmentReader.Record, number: UInt32
    ) throws(RaftLogError) -> SegmentHead {
        let name = Segment.name(number)
        try checkVersion(record, name: name)
        var fields = ByteReader(
            record.bytes, from: record.payload.lowerBound, to: record.payload.upperBound)
        guard record.header.kind == RecordHeader.Kind.segmentHead.rawValue,
            let found = fields.next(UInt32.self), let endBefore = fields.next(UInt32.self)
        else { throw .corrupt(file: name, offset: 0, what: "no head of a segment") }
        guard found == number else {
            throw .corrupt(file: name, offset: 0, what: "the file was named \(Segment.name(found))")
        }
        return SegmentHead(number: found, endBefore: endBefore)
    }

    /// A bad record at the end of the last segment is a torn write, if nothing proves otherwise.
    private func checkTail(
        _ reader: inout SegmentReader, at end: Int, salt: UInt64?
    ) throws(RaftLogError) {
        let wasDurable = try attempt { () throws(DiskError) in
            try reader.wasDurable(end, salt: salt)
        }
        guard wasDurable else { return }
        throw .corrupt(
            file: reader.file.name, offset: end, what: "a bad record in front of good ones")
    }

    /// A segment without a head: power was lost while it was made, if it is the last, nothing in it
    /// was ever durable, and the one before was not closed yet (which comes after).
    private func discard(
        _ number: UInt32, _ reader: inout SegmentReader, isLast: Bool
    ) throws(RaftLogError) {
        let name = Segment.name(number)
        let before = segments.last
        let sizeBefore = try attempt { () throws(DiskError) in try before?.file.size() }
        let isFirst = number == 1 || before != nil
        guard isLast, isFirst, sizeBefore == nil || sizeBefore != before?.end else {
            throw .corrupt(file: name, offset: 0, what: "the head is bad")
        }
        try checkTail(&reader, at: 0, salt: nil)
        try attempt { () throws(DiskError) in
            try disk.remove(name)
            try disk.syncDirectory()
        }
    }

    // MARK: Items

    private mutating func replay(
        _ record: SegmentReader.Record, number: UInt32, from skipped: Int
    ) throws(RaftLogError) {
        var offset = record.payload.lowerBound + skipped
        let recordStart = Int(record.header.offset)
        for _ in 0..<record.header.itemCount {
            let start = offset
            guard
                let item = LogItem.decode(
                    record.bytes, at: &offset, to: record.payload.upperBound),
                replay(item, segment: number, offset: recordStart + start, bytes: offset - start)
            else {
                throw .corrupt(
                    file: Segment.name(number), offset: recordStart + start,
                    what: "an item that cannot be")
            }
        }
        guard offset == record.payload.upperBound else {
            throw .corrupt(
                file: Segment.name(number), offset: recordStart + offset,
                what: "more than its items")
        }
    }

    /// - Returns: `false` if the item makes no sense where it is.
    private mutating func replay(
        _ item: LogItem, segment: UInt32, offset: Int, bytes: Int
    ) -> Bool {
        switch item {
        case .hardState(let range, let state):
            groups[range, default: GroupLog()].set(state)
        case .mark(let range, let mark):
            groups[range, default: GroupLog()].truncate(to: mark)
        case .reset(let range, let mark):
            groups[range, default: GroupLog()].reset(to: mark)
        case .removal(let range):
            groups[range] = nil
        case .entry(let range, let entry):
            guard var group = groups.removeValue(forKey: range),
                entry.index > group.mark.position.index
            else { return false }
            let place = EntryPlace(
                term: entry.term, segment: segment, offset: UInt32(offset), bytes: UInt32(bytes))
            if !group.append(entry, at: place) {
                group.skip(to: entry.index)
                guard group.append(entry, at: place) else { return false }
            }
            groups[range] = group
        }
        return true
    }

    private func checkGroups() throws(RaftLogError) {
        for (range, group) in groups.sorted(by: { $0.key < $1.key }) where !group.isWhole {
            throw .corrupt(
                file: segments.first?.file.name ?? "", offset: 0,
                what: "\(range) lacks the entries after \(group.mark.position.index)")
        }
    }
}
