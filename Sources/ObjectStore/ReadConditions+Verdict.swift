import Core

extension ReadConditions {
    enum Verdict: Hashable {
        case proceed, notModified
        case failed(condition: String)
    }

    /// RFC 9110 section 13.2.2: If-Match goes before If-Unmodified-Since, If-None-Match before
    /// If-Modified-Since. HTTP's dates have whole seconds.
    func verdict(_ info: ObjectInfo) -> Verdict {
        let modified = info.modified.seconds
        if !ifMatch.isEmpty {
            guard Self.matches(ifMatch, info.etag) else { return .failed(condition: "If-Match") }
        } else if let limit = ifUnmodifiedSince, modified > limit.seconds {
            return .failed(condition: "If-Unmodified-Since")
        }
        if !ifNoneMatch.isEmpty {
            if Self.matches(ifNoneMatch, info.etag) { return .notModified }
        } else if let limit = ifModifiedSince, modified <= limit.seconds {
            return .notModified
        }
        return .proceed
    }

    private static func matches(_ tags: [String], _ etag: String) -> Bool {
        tags.contains { $0 == "*" || $0.utf8.elementsEqual(etag.utf8) }
    }

    /// For GetObject and HeadObject.
    func check(_ info: ObjectInfo) throws(ObjectStoreError) {
        switch verdict(info) {
        case .proceed: break
        case .notModified: throw .notModified(info)
        case .failed(let condition): throw .preconditionFailed(condition: condition)
        }
    }

    /// For the source of a copy: what is not modified fails too.
    func checkSource(_ info: ObjectInfo) throws(ObjectStoreError) {
        switch verdict(info) {
        case .proceed: break
        case .notModified:
            throw .preconditionFailed(
                condition: ifNoneMatch.isEmpty
                    ? "x-amz-copy-source-If-Modified-Since" : "x-amz-copy-source-If-None-Match")
        case .failed(let condition):
            throw .preconditionFailed(condition: "x-amz-copy-source-" + condition)
        }
    }
}

extension WallTime {
    /// Rounded down.
    fileprivate var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
    }
}

extension ByteRange {
    /// The bytes meant, of an object of `size`.
    ///
    /// - Throws: ``ObjectStoreError/invalidRange(size:)`` where there are none.
    func resolve(size: Int) throws(ObjectStoreError) -> Range<Int> {
        switch self {
        case .closed(let first, let last):
            guard first >= 0, first <= last, first < size else { throw .invalidRange(size: size) }
            return first..<min(last, size - 1) + 1
        case .from(let first):
            guard first >= 0, first < size else { throw .invalidRange(size: size) }
            return first..<size
        case .suffix(let count):
            guard count > 0, size > 0 else { throw .invalidRange(size: size) }
            return max(0, size - count)..<size
        }
    }
}
