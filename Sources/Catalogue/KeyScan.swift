import Core

/// Byte strings in their order.
enum ByteOrder {
    /// The least byte string above all that begin with `prefix`; `nil` where there is none (nothing
    /// but 0xFF).
    static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xFF { return end + [last + 1] }
        }
        return nil
    }

    static func isLess(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.withUnsafeBytes { left in right.withUnsafeBytes { isLess(left, $0) } }
    }

    static func isLess(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer
    ) -> Bool {
        let common = min(left.count, right.count)
        for index in 0..<common where left[index] != right[index] {
            return left[index] < right[index]
        }
        return left.count < right.count
    }

    static func hasPrefix(_ key: UnsafeRawBufferPointer, _ prefix: [UInt8]) -> Bool {
        guard key.count >= prefix.count else { return false }
        return prefix.withUnsafeBytes { prefix in
            prefix.elementsEqual(UnsafeRawBufferPointer(rebasing: key[..<prefix.count]))
        }
    }
}

/// Walks keys in byte order for a listing, and jumps over what a common prefix stands for.
///
/// ```
/// prefix "a/"  delimiter "/"     a/1   a/b/1 a/b/2 … a/b/9   a/c
///                                key   └─ common prefix ──┘   key
///                                        └ a few rows by stepping, the rest by one seek ┘
/// ```
struct KeyScan {
    let prefix: [UInt8]
    let delimiter: [UInt8]
    /// Entries wanted.
    let limit: Int

    /// Rows of one common prefix passed over before the index is searched for its end instead: a
    /// search costs about as much as this many steps.
    static let stepsBeforeSeek = 8

    private(set) var entryCount = 0
    private(set) var isTruncated = false

    init(prefix: [UInt8], delimiter: [UInt8], limit: Int) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.limit = limit
    }

    /// The first key that may be listed after `after`: an entry of the page before, a key or a
    /// common prefix; `nil` where nothing can follow.
    func start(after: [UInt8]) -> [UInt8]? {
        guard !after.isEmpty, !ByteOrder.isLess(after, prefix) else { return prefix }
        if let end = commonPrefixEnd(of: after), end == after.count {
            return ByteOrder.end(ofPrefix: after)
        }
        if Mutation.isOn(.listSkipsAtBorder) {
            return ByteOrder.end(ofPrefix: after).map { $0 + [0] }
        }
        return after + [0]
    }

    /// Where the key's common prefix ends, if it has one.
    private func commonPrefixEnd(of key: [UInt8]) -> Int? {
        key.withUnsafeBytes { key in
            ByteOrder.hasPrefix(key, prefix) ? commonPrefixEnd(of: key) : nil
        }
    }

    private func commonPrefixEnd(of key: UnsafeRawBufferPointer) -> Int? {
        guard let first = delimiter.first else { return nil }
        var index = prefix.count
        while index + delimiter.count <= key.count {
            if key[index] == first,
                ByteOrder.hasPrefix(UnsafeRawBufferPointer(rebasing: key[index...]), delimiter)
            {
                return index + delimiter.count
            }
            index += 1
        }
        return nil
    }

    /// Goes through the keys from `start` until the page is full or the prefix ends.
    ///
    /// - Parameters:
    ///   - seek: Binds and answers the statement for keys from the given one on; its first column
    ///     is the key.
    ///   - entry: Takes a row that is an entry of its own.
    ///   - commonPrefix: Takes a common prefix.
    mutating func run(
        from start: [UInt8]?,
        seek: ([UInt8]) throws(SQLiteError) -> SQLiteStatement,
        entry: (SQLiteStatement) -> Void,
        commonPrefix: ([UInt8]) -> Void
    ) throws(SQLiteError) {
        guard limit > 0, var position = start else { return }
        while true {
            let rows = try seek(position)
            defer { rows.reset() }
            var passing: [UInt8]?
            var steps = 0
            var isSeekDue = false
            while try rows.step() {
                enum Found { case outside, passed, key, group([UInt8]) }
                let found = rows.withBytes(0) { key -> Found in
                    if !ByteOrder.hasPrefix(key, prefix) { return .outside }
                    if let passing, ByteOrder.hasPrefix(key, passing) { return .passed }
                    return commonPrefixEnd(of: key).map { .group(Array(key[..<$0])) } ?? .key
                }
                switch found {
                case .outside: return
                case .passed:
                    steps += 1
                    isSeekDue = steps >= Self.stepsBeforeSeek
                case .key, .group:
                    if entryCount == limit {
                        isTruncated = true
                        return
                    }
                    entryCount += 1
                    if case .group(let bytes) = found {
                        commonPrefix(bytes)
                        passing = bytes
                        steps = 0
                    } else {
                        entry(rows)
                        passing = nil
                    }
                }
                if isSeekDue { break }
            }
            guard isSeekDue, let passing, let next = ByteOrder.end(ofPrefix: passing)
            else { return }
            position = next
        }
    }
}
