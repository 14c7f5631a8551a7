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
            guard let upload = try garbageUpload(number) else { continue }
            if !upload.isEmpty { try removeParts(of: upload, upTo: Int64(Limits.partCountMax)) }
            try connection.statement("DELETE FROM garbage WHERE row = ?1")
                .bind(1, Int64(number)).run()
            writer.registers[.garbageCount] -= 1
        }
        return .done
    }

    func garbagePartsDone(_ command: ProtoGarbagePartsDone) throws(SQLiteError) -> RangeResult {
        guard let upload = try garbageUpload(command.row), !upload.isEmpty else { return .done }
        try removeParts(of: upload, upTo: Int64(command.upToPart))
        return .done
    }

    /// The row's upload, empty for a row of chunks; `nil` where there is no such row.
    private func garbageUpload(_ number: UInt64) throws(SQLiteError) -> Data? {
        let row = try connection.statement("SELECT upload FROM garbage WHERE row = ?1")
        row.bind(1, Int64(number))
        defer { row.reset() }
        return try row.step() ? row.data(0) : nil
    }

    private func removeParts(of upload: Data, upTo number: Int64) throws(SQLiteError) {
        try connection.statement("DELETE FROM parts WHERE upload = ?1 AND number <= ?2")
            .bind(1, upload).bind(2, number).run()
        try connection.statement("DELETE FROM layouts WHERE upload = ?1 AND number <= ?2")
            .bind(1, upload).bind(2, number).run()
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
