import Core
import Foundation
import Messages

/// Uploads in parts.
extension RangeChange {
    func createUpload(_ command: ProtoCreateUpload) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        let upload = command.upload
        if try hasUpload(command.bucket, upload.key, upload.id) {
            return RangeResult(.invalidCommand, "the upload's id is taken")
        }
        if writer.registers[.uploadCount] >= CatalogueLimits.uploadsPerRangeMax {
            return RangeResult(.tooMany, "uploads under way")
        }
        var stored = upload
        if stored.initiatedMs == 0 { stored.initiatedMs = time }
        try connection.statement(
            "INSERT INTO uploads (bucket, key, upload, value) VALUES (?1, ?2, ?3, ?4)"
        ).bind(1, RangeSchema.column(command.bucket)).bind(2, upload.key).bind(3, upload.id)
            .bind(4, (try? stored.serializedBytes()) ?? []).run()
        writer.registers[.uploadCount] += 1
        return .done
    }

    func putPart(_ command: ProtoPutPart) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        guard try hasUpload(command.bucket, command.key, command.upload) else {
            return RangeResult(.noSuchUpload)
        }
        if let failure = tooOld(command.part.body) { return failure }
        try named.add(command.part.body)
        var garbage: [UInt8] = []
        try collectChunks(of: command.upload, number: Int64(command.part.number), into: &garbage)
        try queueGarbage(chunks: garbage)
        var value = command.part
        value.clearBody()
        value.offset = 0
        if value.modifiedMs == 0 { value.modifiedMs = time }
        try connection.statement(
            """
            INSERT OR REPLACE INTO parts (upload, number, size, etag, kind, value, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """
        ).bind(1, command.upload).bind(2, Int64(command.part.number))
            .bind(3, Int64(command.part.size)).bind(4, command.part.etag)
            .bind(5, Self.kind(of: command.part.body).rawValue)
            .bind(6, (try? value.serializedBytes()) ?? [])
            .bind(7, (try? command.part.body.serializedBytes()) ?? []).run()
        try queueRepairs(command.missing)
        return .done
    }

    func complete(_ command: ProtoCompleteUpload) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        guard try hasUpload(command.bucket, command.key, command.upload) else {
            return RangeResult(.noSuchUpload)
        }
        let sizes: [Int64]
        switch try check(command) {
        case .refused(let result): return result
        case .sizes(let found): sizes = found
        }
        let old = try find(command.bucket, command.key)
        if let failure = refusal(command.precondition, old, missing: .noSuchKey) { return failure }

        try dropUnusedParts(command)
        var offset: Int64 = 0
        for (part, size) in zip(command.parts, sizes) {
            try connection.statement(
                "INSERT INTO layouts (upload, offset, number) VALUES (?1, ?2, ?3)"
            ).bind(1, command.upload).bind(2, offset).bind(3, Int64(part.number)).run()
            offset += size
        }
        try removeUpload(command.bucket, command.key, command.upload)
        let body = ProtoBody.with {
            $0.multipart.upload = command.upload
            $0.multipart.partCount = UInt32(command.parts.count)
        }
        let head = Self.storedHead(command.head, time: time)
        try replace(
            old, bucket: command.bucket, key: command.key, head: command.head, storedHead: head,
            body: body)
        return RangeResult(head: head)
    }

    func abort(_ command: ProtoAbortUpload) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        guard try hasUpload(command.bucket, command.key, command.upload) else {
            return RangeResult(.noSuchUpload)
        }
        try removeUpload(command.bucket, command.key, command.upload)
        let part = try connection.statement("SELECT 1 FROM parts WHERE upload = ?1 LIMIT 1")
        part.bind(1, command.upload)
        let hasParts = try part.step()
        part.reset()
        if hasParts { try queueGarbage(upload: command.upload) }
        return .done
    }

    // MARK: Checks of a completion

    private enum Check {
        case refused(RangeResult)
        case sizes([Int64])
    }

    private func check(_ command: ProtoCompleteUpload) throws(SQLiteError) -> Check {
        var sizes: [Int64] = []
        var number: UInt32 = 0
        for part in command.parts {
            guard part.number > number else {
                return .refused(RangeResult(.invalidPartOrder, "part \(part.number)"))
            }
            number = part.number
        }
        for part in command.parts {
            let row = try connection.statement(
                "SELECT size, etag, value FROM parts WHERE upload = ?1 AND number = ?2")
            row.bind(1, command.upload).bind(2, Int64(part.number))
            defer { row.reset() }
            guard try row.step(), row.text(1) == part.etag,
                part.checksum.isEmpty || part.checksum == storedChecksum(row)
            else { return .refused(RangeResult(.invalidPart, "part \(part.number)")) }
            sizes.append(row.integer(0))
        }
        for (part, size) in zip(command.parts, sizes).dropLast()
        where size < Limits.partBytesMin {
            return .refused(RangeResult(.entityTooSmall, "part \(part.number)"))
        }
        let size = sizes.reduce(0, +)
        guard size == Int64(command.head.size), size <= Limits.objectBytesMax,
            Int(command.head.partCount) == sizes.count
        else {
            return .refused(
                RangeResult(.invalidCommand, "the head does not describe \(size) bytes in parts"))
        }
        return .sizes(sizes)
    }

    private func storedChecksum(_ row: SQLiteStatement) -> Data {
        (try? ProtoPart(serializedBytes: row.bytes(2)))?.checksum.value ?? Data()
    }

    private func dropUnusedParts(_ command: ProtoCompleteUpload) throws(SQLiteError) {
        let used = Set(command.parts.map { Int64($0.number) })
        var unused: [Int64] = []
        let rows = try connection.statement("SELECT number FROM parts WHERE upload = ?1")
        rows.bind(1, command.upload)
        while try rows.step() {
            if !used.contains(rows.integer(0)) { unused.append(rows.integer(0)) }
        }
        var garbage: [UInt8] = []
        for number in unused {
            try collectChunks(of: command.upload, number: number, into: &garbage)
            try connection.statement("DELETE FROM parts WHERE upload = ?1 AND number = ?2")
                .bind(1, command.upload).bind(2, number).run()
        }
        try queueGarbage(chunks: garbage)
    }

    // MARK: Rows

    private func hasUpload(
        _ bucket: UInt64, _ key: Data, _ upload: Data
    ) throws(SQLiteError) -> Bool {
        let row = try connection.statement(
            "SELECT 1 FROM uploads WHERE bucket = ?1 AND key = ?2 AND upload = ?3")
        row.bind(1, RangeSchema.column(bucket)).bind(2, key).bind(3, upload)
        defer { row.reset() }
        return try row.step()
    }

    private func removeUpload(
        _ bucket: UInt64, _ key: Data, _ upload: Data
    ) throws(SQLiteError) {
        try connection.statement(
            "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND upload = ?3"
        ).bind(1, RangeSchema.column(bucket)).bind(2, key).bind(3, upload).run()
        writer.registers[.uploadCount] -= 1
    }

    private func collectChunks(
        of upload: Data, number: Int64, into garbage: inout [UInt8]
    ) throws(SQLiteError) {
        let row = try connection.statement(
            "SELECT body FROM parts WHERE upload = ?1 AND number = ?2 AND kind = 2")
        row.bind(1, upload).bind(2, number)
        defer { row.reset() }
        guard try row.step() else { return }
        try PartChunks.append(row.bytes(0), to: &garbage)
    }
}

/// The chunks that a part's stored body names.
enum PartChunks {
    static func append(_ body: [UInt8], to chunks: inout [UInt8]) throws(SQLiteError) {
        guard let body = try? ProtoBody(serializedBytes: body) else {
            throw SQLiteError.damage("a part's body cannot be decoded")
        }
        for chunk in body.chunked.chunks { chunks += chunk.id }
    }
}
