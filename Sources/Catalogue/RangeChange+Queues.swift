import Core
import Foundation
import Messages

/// Fences, and what the workers report done.
extension RangeChange {
    func isFenced(_ bucket: UInt64) throws(SQLiteError) -> Bool {
        let row = try connection.statement("SELECT 1 FROM fences WHERE bucket = ?1")
        row.bind(1, RangeSchema.column(bucket))
        defer { row.reset() }
        return try row.step()
    }

    /// Repeating it is harmless: a fenced bucket stays fenced.
    func fence(_ command: ProtoFenceBucket) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return .done }
        if try holdsAnything(command.bucket) { return RangeResult(.bucketNotEmpty) }
        try connection.statement(
            "INSERT INTO fences (bucket, fenced, is_confirmed) VALUES (?1, ?2, 0)"
        ).bind(1, RangeSchema.column(command.bucket)).bind(2, time).run()
        return .done
    }

    private func holdsAnything(_ bucket: UInt64) throws(SQLiteError) -> Bool {
        let object = try connection.statement("SELECT 1 FROM heads WHERE bucket = ?1 LIMIT 1")
        object.bind(1, RangeSchema.column(bucket))
        defer { object.reset() }
        if try object.step() { return true }
        let upload = try connection.statement("SELECT 1 FROM uploads WHERE bucket = ?1 LIMIT 1")
        upload.bind(1, RangeSchema.column(bucket))
        defer { upload.reset() }
        return try upload.step()
    }

    func confirmFence(_ command: ProtoConfirmFence) throws(SQLiteError) -> RangeResult {
        try connection.statement("UPDATE fences SET is_confirmed = 1 WHERE bucket = ?1")
            .bind(1, RangeSchema.column(command.bucket)).run()
        return connection.changeCount > 0
            ? .done : RangeResult(.noSuchBucket, "the bucket is not fenced")
    }

    /// Rows that are gone already are no error: the worker repeats after a crash.
    func garbageDone(_ command: ProtoGarbageDone) throws(SQLiteError) -> RangeResult {
        for number in command.rows {
            guard let row = try garbageRow(number) else { continue }
            if row.upload.isEmpty {
                try named.remove(row.chunks)
            } else {
                try removeParts(of: row.upload, upTo: Int64(Limits.partCountMax))
            }
            try connection.statement("DELETE FROM garbage WHERE row = ?1")
                .bind(1, Int64(number)).run()
            writer.registers[.garbageCount] -= 1
        }
        return .done
    }

    func garbagePartsDone(_ command: ProtoGarbagePartsDone) throws(SQLiteError) -> RangeResult {
        guard let row = try garbageRow(command.row), !row.upload.isEmpty else { return .done }
        try removeParts(of: row.upload, upTo: Int64(command.upToPart))
        return .done
    }

    /// What the row names: an upload, or chunks; `nil` where there is no such row.
    private func garbageRow(
        _ number: UInt64
    ) throws(SQLiteError) -> (upload: Data, chunks: [UInt8])? {
        let row = try connection.statement("SELECT upload, chunks FROM garbage WHERE row = ?1")
        row.bind(1, Int64(number))
        defer { row.reset() }
        return try row.step() ? (row.data(0), row.bytes(1)) : nil
    }

    private func removeParts(of upload: Data, upTo number: Int64) throws(SQLiteError) {
        let bodies = try connection.statement(
            "SELECT body FROM parts WHERE upload = ?1 AND number <= ?2 AND kind = 2")
        bodies.bind(1, upload).bind(2, number)
        defer { bodies.reset() }
        while try bodies.step() {
            var chunks: [UInt8] = []
            try PartChunks.append(bodies.bytes(0), to: &chunks)
            try named.remove(chunks)
        }
        try connection.statement("DELETE FROM parts WHERE upload = ?1 AND number <= ?2")
            .bind(1, upload).bind(2, number).run()
        try connection.statement("DELETE FROM layouts WHERE upload = ?1 AND number <= ?2")
            .bind(1, upload).bind(2, number).run()
    }

    /// Repeating it, or an older one, changes nothing.
    func raiseSweepFence(_ command: ProtoRaiseSweepFence) -> RangeResult {
        let fence = max(writer.registers[.sweepFence], Int64(command.beforeS))
        if fence != writer.registers[.sweepFence] { writer.registers[.sweepFence] = fence }
        return .done
    }

    /// Refuses a body with a chunk that may have been swept: see decision 7.
    func tooOld(_ body: ProtoBody) -> RangeResult? {
        let fence = writer.registers[.sweepFence]
        guard fence > 0 else { return nil }
        for chunk in body.chunked.chunks {
            if let id = ChunkID(bytes: chunk.id), Int64(id.born) < fence {
                let seconds = fence - Int64(id.born)
                return RangeResult(
                    .chunkTooOld, "chunk \(id) was born \(seconds) s before the fence")
            }
        }
        return nil
    }

    func repairDone(_ command: ProtoRepairDone) throws(SQLiteError) -> RangeResult {
        for number in command.rows {
            try connection.statement("DELETE FROM repairs WHERE row = ?1")
                .bind(1, Int64(number)).run()
            writer.registers[.repairCount] -= Int64(connection.changeCount)
        }
        return .done
    }
}
