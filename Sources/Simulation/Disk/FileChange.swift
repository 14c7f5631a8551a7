/// A file, whatever names it has or had.
struct FileIdentity: Hashable {
    let device: UInt64
    let number: UInt64
}

/// One write or truncation that no sync has covered yet, with what it takes to go back.
///
/// The new bytes are not kept: they are in the file, and found again while going back. So a log
/// that only grows costs little memory here, however long it is not synced.
struct FileChange: Equatable {
    enum Kind: Equatable {
        case write
        /// To a smaller or a larger size.
        case resize
    }

    /// Grows with every change of any file of the process.
    let sequence: Int
    let kind: Kind
    /// Of a write: the bytes that it covered. Of a resize: from the new size to the old one, empty
    /// where the file grew.
    let range: Range<Int>
    /// The new size; of a write, at least the end of `range`.
    let newSize: Int
    let oldSize: Int
    /// What was in the part of `range` that was within the file.
    let oldBytes: [UInt8]

    static func write(
        _ sequence: Int, at range: Range<Int>, oldSize: Int, oldBytes: [UInt8]
    ) -> FileChange {
        precondition(oldBytes.count == max(0, min(range.upperBound, oldSize) - range.lowerBound))
        return FileChange(
            sequence: sequence, kind: .write, range: range,
            newSize: max(oldSize, range.upperBound), oldSize: oldSize, oldBytes: oldBytes)
    }

    static func resize(
        _ sequence: Int, to newSize: Int, oldSize: Int, oldBytes: [UInt8]
    ) -> FileChange {
        precondition(oldBytes.count == max(0, oldSize - newSize))
        return FileChange(
            sequence: sequence, kind: .resize, range: newSize..<max(newSize, oldSize),
            newSize: newSize, oldSize: oldSize, oldBytes: oldBytes)
    }

    // MARK: Back and forth

    /// Takes the change out of `content`, which is the file's right after it.
    ///
    /// - Returns: The bytes that a write had brought; nothing for a resize.
    func undo(in content: inout [UInt8]) -> [UInt8] {
        // Equal, unless somebody wrote past SQLite's back.
        Self.resize(&content, to: newSize)
        let newBytes = kind == .write ? Array(content[range]) : []
        Self.resize(&content, to: oldSize)
        let oldRange = range.lowerBound..<range.lowerBound + oldBytes.count
        if !oldBytes.isEmpty { content.replaceSubrange(oldRange, with: oldBytes) }
        return newBytes
    }

    /// Brings what survives of the change into `content`, which may lack earlier changes: what lies
    /// between its end and the change is zeros then.
    func redo(in content: inout [UInt8], newBytes: [UInt8], as fate: ChangeFate) {
        switch (kind, fate) {
        case (_, .lost): break
        case (.resize, _):
            let isMove = newSize < oldSize ? content.count > newSize : content.count < newSize
            if isMove { Self.resize(&content, to: newSize) }
        case (.write, .whole): Self.put(newBytes, from: range, at: range, in: &content)
        case (.write, .parts(let parts)):
            for part in parts { Self.put(newBytes, from: range, at: part, in: &content) }
        }
    }

    private static func put(
        _ bytes: [UInt8], from range: Range<Int>, at part: Range<Int>, in content: inout [UInt8]
    ) {
        if content.count < part.upperBound { resize(&content, to: part.upperBound) }
        let start = part.lowerBound - range.lowerBound
        content.replaceSubrange(part, with: bytes[start..<start + part.count])
    }

    private static func resize(_ content: inout [UInt8], to count: Int) {
        if content.count > count { content.removeLast(content.count - count) }
        if content.count < count {
            content.append(contentsOf: repeatElement(0, count: count - content.count))
        }
    }
}

/// What a power cut makes of a change.
enum ChangeFate: Equatable {
    case lost
    case whole
    /// Of a write: these ranges of the file, in order; the rest is lost.
    case parts([Range<Int>])
}
