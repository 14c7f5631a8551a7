import Core
import Foundation
import Messages

/// What a command may not be, whatever the state: these checks see the command alone.
enum RangeLimits {
    /// - Returns: What is wrong, for people; `nil` where nothing is.
    static func broken(by kind: ProtoRangeCommand.OneOf_Kind) -> String? {
        switch kind {
        case .putObject(let command):
            return key(command.key) ?? head(command.head)
                ?? body(command.body, size: command.head.size) ?? missing(command.missing)
        case .deleteObjects(let command):
            if !(1...CatalogueLimits.keysPerCommandMax).contains(command.keys.count) {
                return "1 to \(CatalogueLimits.keysPerCommandMax) keys"
            }
            return command.keys.lazy.compactMap(key).first
        case .createUpload(let command):
            return key(command.upload.key) ?? id(command.upload.id, "upload")
                ?? head(command.upload.head)
                ?? (command.upload.owner.utf8.count > CatalogueLimits.textBytesMax
                    ? "the owner's name is too long" : nil)
        case .putPart(let command):
            return key(command.key) ?? id(command.upload, "upload") ?? part(command.part)
                ?? missing(command.missing)
        case .completeUpload(let command):
            return key(command.key) ?? id(command.upload, "upload") ?? head(command.head)
                ?? completed(command.parts)
        case .abortUpload(let command):
            return key(command.key) ?? id(command.upload, "upload")
        case .fenceBucket, .confirmFence: return nil
        case .garbageDone(let command): return rows(command.rows)
        case .garbagePartsDone(let command): return rows([command.row])
        case .repairDone(let command): return rows(command.rows)
        case .raiseSweepFence: return nil
        case .replaceHead(let command):
            return key(command.key) ?? time(command.modifiedMs)
                ?? head(
                    .with {
                        $0.headers = command.headers
                        $0.userMetadata = command.userMetadata
                    })
        }
    }

    private static func key(_ key: Data) -> String? {
        (1...Limits.objectKeyBytesMax).contains(key.count)
            ? nil : "a key has 1 to \(Limits.objectKeyBytesMax) bytes"
    }

    private static func id(_ id: Data, _ name: String) -> String? {
        id.count == UploadID.byteCount ? nil : "an id of an \(name) has 16 bytes"
    }

    private static func rows(_ rows: [UInt64]) -> String? {
        rows.count <= CatalogueLimits.keysPerCommandMax && rows.allSatisfy { $0 <= Int64.max }
            ? nil : "too many rows, or no rows of ours"
    }

    private static func head(_ head: ProtoObjectHead) -> String? {
        var bytes = head.etag.utf8.count + head.checksum.value.count
        for pair in head.headers { bytes += pair.name.utf8.count + pair.value.utf8.count + 8 }
        for pair in head.userMetadata { bytes += pair.name.utf8.count + pair.value.utf8.count + 8 }
        if bytes > CatalogueLimits.headBytesMax { return "the head is too large" }
        if head.size > UInt64(Limits.objectBytesMax) { return "the object is too large" }
        return time(head.modifiedMs)
    }

    private static func time(_ milliseconds: Int64) -> String? {
        (0...CatalogueLimits.timeMillisecondsMax).contains(milliseconds)
            ? nil : "the time is out of range"
    }

    private static func body(_ body: ProtoBody, size: UInt64) -> String? {
        switch body.kind {
        case .inline(let inline):
            return inline.sealed.count <= Limits.inlineBytesMax + Limits.sealTagBytes
                && size <= UInt64(Limits.inlineBytesMax) ? nil : "the inline body is too large"
        case .chunked(let chunked):
            if !(1...CatalogueLimits.chunksPerBodyMax).contains(chunked.chunks.count) {
                return "a chunked body has 1 to \(CatalogueLimits.chunksPerBodyMax) chunks"
            }
            for chunk in chunked.chunks {
                if chunk.id.count != ChunkID.byteCount { return "an id of a chunk has 16 bytes" }
                if !(1...UInt32(Limits.chunkBytesMax)).contains(chunk.bytes) {
                    return "a chunk has 1 to \(Limits.chunkBytesMax) bytes"
                }
            }
            let sum = chunked.chunks.reduce(UInt64(0)) { $0 + UInt64($1.bytes) }
            return sum == size ? nil : "the chunks do not add up to the size"
        case .multipart, nil: return "the body is inline or in chunks"
        }
    }

    private static func missing(_ missing: [ProtoMissingCopy]) -> String? {
        if missing.count > CatalogueLimits.missingCopiesMax { return "too many missing copies" }
        let isValid = missing.allSatisfy {
            $0.chunk.count == ChunkID.byteCount && $0.node.count == NodeID.byteCount
        }
        return isValid ? nil : "ids of chunks and nodes have 16 bytes"
    }

    private static func part(_ part: ProtoPart) -> String? {
        if !(1...UInt32(Limits.partCountMax)).contains(part.number) {
            return "parts are numbered from 1 to \(Limits.partCountMax)"
        }
        if part.size > UInt64(Limits.partBytesMax) { return "the part is too large" }
        if part.etag.utf8.count + part.checksum.value.count > CatalogueLimits.textBytesMax {
            return "the part's digests are too long"
        }
        return time(part.modifiedMs) ?? body(part.body, size: part.size)
    }

    private static func completed(_ parts: [ProtoCompletedPart]) -> String? {
        (1...Limits.partCountMax).contains(parts.count)
            ? nil : "an object has 1 to \(Limits.partCountMax) parts"
    }
}
