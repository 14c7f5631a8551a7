import Core

/// What must hold for a read, or for the source of a copy (RFC 9110 section 13).
package struct ReadConditions: Hashable, Sendable {
    /// ETags without quotes; `*` for any. Empty: no condition.
    package var ifMatch: [String] = []
    package var ifNoneMatch: [String] = []
    package var ifModifiedSince: WallTime?
    package var ifUnmodifiedSince: WallTime?
    package init() {}
}

/// What must hold for a write, checked in the very transaction that does it.
package struct WriteConditions: Hashable, Sendable {
    /// ETag without quotes, or `*`; `nil`: no condition.
    package var ifMatch: String?
    /// `If-None-Match: *`: the key must not exist.
    package var ifNoneMatchAny = false
    package init(ifMatch: String? = nil, ifNoneMatchAny: Bool = false) {
        self.ifMatch = ifMatch
        self.ifNoneMatchAny = ifNoneMatchAny
    }
}

/// `Range: bytes=…`, as the client gave it (one range; the gateway ignores malformed and multiple
/// ranges, as S3 does).
package enum ByteRange: Hashable, Sendable {
    /// `first-last`, both inclusive; last beyond the end is cut.
    case closed(Int, Int)
    /// `first-`.
    case from(Int)
    /// `-count`: the last bytes.
    case suffix(Int)
}
